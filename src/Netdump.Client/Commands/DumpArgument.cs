using System.CommandLine;
using Netdump.Vmcore;
using Netdump.Vmcore.Packed;

namespace Netdump.Client.Commands;

/// <summary>The FILE of the commands that read dumps.</summary>
internal static class DumpArgument
{
    /// <summary>What help says of a dump.</summary>
    public const string Help =
        "A dump: ELF core, kdump-compressed or flattened, plain or packed by zstd or gzip; - is standard input";

    /// <summary>One dump.</summary>
    public static Argument<string> One() => new("FILE") { Description = Help };

    /// <summary>One dump, or the files of a split one.</summary>
    public static Argument<string[]> OneOrSplit() => new("FILE") { Description = $"{Help}; all files of a split dump", Arity = ArgumentArity.OneOrMore };

    /// <summary>Opens a dump; on a terminal it is told how far a packed one is unpacked.</summary>
    /// <exception cref="ClientException">It is no dump that can be read.</exception>
    public static VmcoreFile Open(params IReadOnlyList<string> paths)
    {
        var shown = false;
        try
        {
            return VmcoreFile.Open(paths, Console.IsErrorRedirected ? null : Show);
        }
        catch (VmcoreFormatException e)
        {
            throw new ClientException($"{string.Join(", ", paths)}: {e.Message}", inner: e);
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
}
