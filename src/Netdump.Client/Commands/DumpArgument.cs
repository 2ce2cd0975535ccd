using System.CommandLine;
using Netdump.Vmcore;
using Netdump.Vmcore.Packed;

namespace Netdump.Client.Commands;

/// <summary>The FILE of the commands that read dumps.</summary>
internal static class DumpArgument
{
    private const string Help = "A dump: ELF core, kdump-compressed or flattened, plain or packed by zstd or gzip; - is standard input";

    /// <summary>One dump.</summary>
    public static Argument<string> Create(string name) => new(name) { Description = Help };

    /// <summary>One dump, or the files of a split one.</summary>
    public static Argument<string[]> OneOrSplit() => new("FILE") { Description = $"{Help}; all files of a split dump", Arity = ArgumentArity.OneOrMore };

    /// <summary>Opens a dump; on a terminal it is told how far a packed one is unpacked.</summary>
    /// <exception cref="ClientException">It is no dump that can be read.</exception>
    public static VmcoreFile Open(params IReadOnlyList<string> paths)
    {
        var shown = false;
        try
        {
            return Explain(string.Join(", ", paths), () => VmcoreFile.Open(paths, Console.IsErrorRedirected ? null : Show));
        }
        finally
        {
            if (shown)
                Console.Error.Write("\r\e[K");
        }

        void Show(UnpackProgress progress)
        {
            var share = progress.Length is > 0 and var length ? $"{progress.Read * 100 / length,3} %" : $"{progress.Read >> 20} MiB read";
            Console.Error.Write($"\rUnpacking: {share}, {progress.Unpacked >> 20} MiB unpacked\e[K");
            shown = true;
        }
    }

    /// <summary>Runs what reads the dump; a failure names the file.</summary>
    /// <exception cref="ClientException">The dump is not what its format says.</exception>
    public static T Explain<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (VmcoreFormatException e)
        {
            throw new ClientException($"{path}: {e.Message}", inner: e);
        }
    }

    /// <summary>Whether the kernel serves this file, so that it is mapped instead of read.</summary>
    public static bool IsMapped(string path) => path.StartsWith("/proc/", StringComparison.Ordinal);
}
