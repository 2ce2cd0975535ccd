using System.Buffers;
using System.Text;
using Netdump.Kernel.Incidents;

namespace Netdump.Client.Commands;

/// <summary>The lines of a log that <c>netdump dmesg --analyse</c> is given: a text, or a dump with a log in it.</summary>
internal static class LogText
{
    private const int Looked = 4096;

    // What no text holds: control characters but tab, newlines, form feed and escape.
    private static readonly SearchValues<byte> Binary = SearchValues.Create(
        [.. Enumerable.Range(0, 32).Select(i => (byte)i).Where(b => b is not ((byte)'\t' or (byte)'\n' or (byte)'\r' or 12 or 27)), 127]);

    /// <summary>Analyses the log of a file.</summary>
    /// <param name="paths">A text, or a dump's files; <c>-</c> is a text on standard input.</param>
    /// <exception cref="ClientException">It can be read as neither.</exception>
    public static LogAnalysis Analyse(IReadOnlyList<string> paths)
    {
        if (paths is ["-"])
            return Read(Console.OpenStandardInput());
        if (paths.Count == 1 && IsText(paths[0]))
            return Read(File.OpenRead(paths[0]));
        using var dump = DumpArgument.Open(paths);
        var log = DumpArgument.Explain(string.Join(", ", paths), dump.OpenLog);
        return DumpArgument.Explain(string.Join(", ", paths), () => LogAnalysis.Of(ConsoleLine.Of(log.Records())));
    }

    private static LogAnalysis Read(Stream stream)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8, detectEncodingFromByteOrderMarks: true, bufferSize: 64 << 10);
        return LogAnalysis.Of(ConsoleLine.Of(reader));
    }

    private static bool IsText(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            Span<byte> head = stackalloc byte[Looked];
            head = head[..file.ReadAtLeast(head, Looked, throwOnEndOfStream: false)];
            return head.Length > 0 && !head.ContainsAny(Binary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // opening it as a dump says what is wrong
        }
    }
}
