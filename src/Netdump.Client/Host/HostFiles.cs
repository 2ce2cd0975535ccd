using System.Text;
using Microsoft.Win32.SafeHandles;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>
/// Files of the host, below a root directory: "/" on a real one, a made-up tree in tests. Symbolic links are followed inside the root,
/// as /sys is full of them.
/// </summary>
public class HostFiles
{
    private readonly string _root;

    /// <summary>Takes the directory that stands for "/".</summary>
    public HostFiles(string root = "/") => _root = root.TrimEnd('/');

    /// <summary>Where an absolute path of the host really lies.</summary>
    public string Map(string path) => _root + path;

    /// <summary>True when a file or directory of that name exists.</summary>
    public bool Exists(string path) => Path.Exists(Map(path));

    /// <summary>The text of a file without white space at its ends; null when it is absent or unreadable.</summary>
    public string? Read(string path)
    {
        try
        {
            return File.ReadAllText(Map(path)).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Lines of a file; none when it is absent.</summary>
    public IEnumerable<string> Lines(string path) => Exists(path) ? File.ReadLines(Map(path)) : [];

    /// <summary>
    /// Writes a text to a file that exists already, in one write(2): files of /proc/sys and configfs take each write as a command of its own.
    /// </summary>
    /// <exception cref="LinuxException">The kernel refused; with its errno.</exception>
    public virtual void Write(string path, string text)
    {
        using SafeFileHandle file = Descriptors.Open(Map(path), OpenFlags.WriteOnly);
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        int done = Descriptors.Write(file, bytes);
        if (done < 0) throw new LinuxException($"write {path}", -done);
        if (done != bytes.Length) throw new LinuxException($"write {path}", Errno.InputOutput);
    }

    /// <summary>Makes a directory; one that is there is no error.</summary>
    /// <exception cref="IOException">The kernel refused.</exception>
    public virtual void MakeDirectory(string path) => Directory.CreateDirectory(Map(path));

    /// <summary>Removes a directory that holds nothing of its own; in configfs that deletes the object.</summary>
    /// <exception cref="IOException">The kernel refused.</exception>
    public virtual void RemoveDirectory(string path) => Directory.Delete(Map(path));

    /// <summary>Names in a directory, sorted; none when it is absent.</summary>
    public IReadOnlyList<string> Names(string directory)
    {
        if (!Directory.Exists(Map(directory))) return [];
        string[] names = [.. Directory.EnumerateFileSystemEntries(Map(directory)).Select(e => Path.GetFileName(e))];
        Array.Sort(names, StringComparer.Ordinal);
        return names;
    }

    /// <summary>The path with every symbolic link in it followed, as the host sees it; null when it does not exist.</summary>
    public string? Resolve(string path)
    {
        var rest = new Stack<string>(path.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse());
        string done = "";
        for (int links = 0; rest.TryPop(out string? name);)
        {
            if (name == ".") continue;
            if (name == "..")
            {
                done = done[..Math.Max(0, done.LastIndexOf('/'))];
                continue;
            }
            if (new FileInfo(Map($"{done}/{name}")).LinkTarget is { } target)
            {
                if (++links > 40) return null;
                if (target.StartsWith('/')) done = "";
                foreach (string part in target.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse()) rest.Push(part);
                continue;
            }
            done = $"{done}/{name}";
        }
        return Exists(done) ? done : null;
    }

    /// <summary>Name of what a symbolic link points at; null when there is none.</summary>
    public string? LinkName(string path) => new FileInfo(Map(path)).LinkTarget is { } target ? Path.GetFileName(target) : null;
}
