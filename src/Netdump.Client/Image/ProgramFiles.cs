namespace Netdump.Client.Image;

/// <summary>A file of the image and where its bytes come from.</summary>
/// <param name="Path">Absolute path in the image.</param>
/// <param name="Source">Path on the host.</param>
public sealed record ImageFile(string Path, string Source);

/// <summary>
/// The shared libraries our own program needs in the capture kernel: what it links to, and what that links to. They are taken from where
/// the running process has them mapped, so no search rules of the loader are repeated. Libraries loaded for name look-ups (NSS) stay out.
/// </summary>
public sealed record ProgramFiles(IReadOnlyList<ImageFile> Files, IReadOnlyList<(string Path, string Target)> Links)
{
    /// <summary>Finds the files of the running program.</summary>
    /// <exception cref="ClientException">A library it links to is not mapped under that name.</exception>
    public static ProgramFiles OfSelf() =>
        Of(File.ReadAllBytes("/proc/self/exe"), File.ReadAllText("/proc/self/maps"), File.ReadAllBytes);

    /// <summary>Finds the files of a program.</summary>
    /// <param name="program">The program's own bytes.</param>
    /// <param name="maps">Text of its /proc/PID/maps (proc(5)).</param>
    /// <param name="read">Reads a mapped file.</param>
    public static ProgramFiles Of(byte[] program, string maps, Func<string, byte[]> read)
    {
        var mapped = new Dictionary<string, (string Path, ElfObject Elf)>();
        foreach (string path in MappedFiles(maps))
        {
            if (!Path.GetFileName(path).Contains(".so", StringComparison.Ordinal)) continue;
            var elf = new ElfObject(read(path));
            mapped.TryAdd(elf.Soname ?? Path.GetFileName(path), (path, elf));
            mapped.TryAdd(Path.GetFileName(path), (path, elf));
        }
        var self = new ElfObject(program);
        var files = new List<ImageFile>();
        var links = new List<(string, string)>();
        var seen = new HashSet<string>();
        if (self.Interpreter is { } loader)
        {
            string name = Path.GetFileName(loader);
            string source = mapped.TryGetValue(name, out (string Path, ElfObject Elf) found) ? found.Path : loader;
            files.Add(new ImageFile(source, source));
            if (source != loader) links.Add((loader, source));
            seen.Add(name);
        }
        var wanted = new Queue<string>(self.Needed);
        while (wanted.TryDequeue(out string? name))
        {
            if (!seen.Add(name)) continue;
            if (!mapped.TryGetValue(name, out (string Path, ElfObject Elf) library))
                throw new ClientException($"the program links to {name}, but it is not mapped", "reinstall netdump");
            files.Add(new ImageFile(library.Path, library.Path));
            if (Path.GetFileName(library.Path) != name) links.Add(($"{Path.GetDirectoryName(library.Path)}/{name}", Path.GetFileName(library.Path)));
            foreach (string needed in library.Elf.Needed) wanted.Enqueue(needed);
        }
        return new ProgramFiles(files, links);
    }

    /// <summary>Paths in a maps file, each once; a file replaced since it was mapped is named by its path.</summary>
    private static IEnumerable<string> MappedFiles(string maps)
    {
        var seen = new HashSet<string>();
        foreach (string line in maps.Split('\n'))
        {
            int slash = line.IndexOf('/', StringComparison.Ordinal);
            if (slash < 0) continue;
            string path = line[slash..];
            if (path.EndsWith(" (deleted)", StringComparison.Ordinal)) path = path[..^10];
            if (seen.Add(path)) yield return path;
        }
    }
}
