using System.Buffers;
using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Netdump.Kernel;
using Netdump.Vmcore;

namespace Netdump.Client.Commands;

/// <summary>What the commands that look into a dead kernel have in common.</summary>
internal static class KernelArgument
{
    /// <summary>Begins an analysis of an open dump.</summary>
    /// <exception cref="ClientException">The dump has no VMCOREINFO, or is of another machine.</exception>
    public static CrashedKernel Open(VmcoreFile dump, string path) => DumpArgument.Explain(path, () => new CrashedKernel(dump));

    /// <summary>The option that makes a command print as the crash utility does, for scripts that read that.</summary>
    public static Option<string> Format()
    {
        var format = new Option<string>("--format") { Description = "crash: byte for byte as that program prints", HelpName = "crash" };
        format.AcceptOnlyFromAmong(StringComparer.Ordinal, "crash");
        return format;
    }

    /// <summary>The option that makes a command print one JSON document.</summary>
    public static Option<bool> Json() => new("--json") { Description = "For programs" };

    /// <summary>Says on the error output what could not be read.</summary>
    public static void TellGaps(CrashedKernel kernel)
    {
        foreach (var (what, why) in kernel.Gaps.All)
            Console.Error.WriteLine($"netdump: {what.ReplaceLineEndings(" ")}: {why.ReplaceLineEndings(" ")}");
    }

    /// <summary>Says why a fact is not there: with the reason of the types or symbols when they are missing.</summary>
    /// <exception cref="ClientException">Always.</exception>
    public static ClientException Absent(CrashedKernel kernel, string what) => new(
        kernel.Symbols is null || kernel.Types is null
            ? $"{what}: needs the kernel's {(kernel.Symbols is null ? "symbols" : "types")}, which the dump does not have: {Reason(kernel)}"
            : $"{what}: not in the dump");

    /// <summary>An address: hexadecimal, a symbol, or a per-CPU symbol and its processor; with an offset behind a plus.</summary>
    /// <exception cref="ClientException">There is no such symbol.</exception>
    public static ulong Place(CrashedKernel kernel, string text)
    {
        var plus = text.IndexOf('+');
        var offset = plus < 0 ? 0 : Hexadecimal(text[(plus + 1)..]) ?? throw new ClientException($"'{text[(plus + 1)..]}' is no hexadecimal offset");
        var name = plus < 0 ? text : text[..plus];
        var colon = name.IndexOf(':');
        if (colon > 0 && int.TryParse(name[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var processor))
            return unchecked(offset + (kernel.Symbols?.OnProcessor(name[..colon], processor)
                ?? throw new ClientException($"there is no per-CPU symbol {name[..colon]}, or no processor {processor}")));
        // A symbol can look like a number (abc, fade): a name that exists is one, all else that can be a number is.
        if (kernel.TryFind(name, out var address) || Hexadecimal(name) is { } number && (address = number) == number)
            return unchecked(address + offset);
        throw new ClientException($"there is no symbol {name}, and it is no hexadecimal address");
    }

    /// <summary>Prints one JSON document.</summary>
    public static void WriteJson(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
            write(json);
        Console.Out.Write(Encoding.UTF8.GetString(buffer.WrittenSpan));
        Console.Out.Write('\n');
    }

    /// <summary>An address as JSON has it.</summary>
    public static string Hex(ulong address) => $"0x{address:x}";

    private static ulong? Hexadecimal(string text) =>
        ulong.TryParse(text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text.AsSpan(2) : text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;

    private static string Reason(CrashedKernel kernel) =>
        kernel.Gaps.All.FirstOrDefault(gap => gap.Key == (kernel.Symbols is null ? "symbols" : "types")).Value ?? "the reason is not known";
}
