using System.Runtime.InteropServices;
using Netdump.Kernel;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Client.Commands;

/// <summary>Looks for a word of 8 bytes in all memory of a dump: who points there?</summary>
internal static class MemorySearch
{
    /// <summary>Most places that are printed.</summary>
    public const int Maximum = 10_000;

    private const int PagesBetweenLooks = 4096;

    /// <summary>Prints each place, physical address and, where it is known, virtual address and symbol; stops when told to and says how far it got.</summary>
    /// <param name="dump">The dump.</param>
    /// <param name="value">The word, at addresses that are multiples of 8.</param>
    /// <param name="asJson">One object a line.</param>
    /// <param name="output">Takes the places.</param>
    /// <param name="error">Takes the progress, and how far a search got that was stopped.</param>
    /// <param name="stop">Ends it.</param>
    /// <returns>0 when something was found, else 1, as grep says.</returns>
    public static int Run(VmcoreFile dump, ulong value, bool asJson, TextWriter output, TextWriter error, CancellationToken stop)
    {
        CrashedKernel? kernel = Open(dump);
        using PageReader reader = dump.Physical.OpenReader();
        PageRange[] ranges = [.. dump.Physical.HeldRanges];
        ulong total = 0, done = 0;
        foreach (PageRange range in ranges)
            total += range.Count;
        int found = 0;
        foreach (PageRange range in ranges)
            for (ulong page = range.First; page < range.End; page++, done++)
            {
                if (done % PagesBetweenLooks == 0)
                {
                    if (stop.IsCancellationRequested)
                        return Stopped(error, done, total, found);
                    if (!Console.IsErrorRedirected)
                        error.Write($"\rsearched {done * 100 / Math.Max(1, total),3} %\e[K");
                }
                if (reader.Read(page, out ReadOnlySpan<byte> bytes) != PageState.Present)
                    continue;
                ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
                for (int at = words.IndexOf(value); at >= 0; at = words[(at + 1)..].IndexOf(value) is >= 0 and var next ? at + 1 + next : -1)
                {
                    Print(output, kernel, page * (ulong)dump.PageSize + (ulong)at * 8, asJson);
                    if (++found == Maximum)
                        return Stopped(error, done, total, found);
                }
            }
        if (!Console.IsErrorRedirected)
            error.Write("\r\e[K");
        return found > 0 ? 0 : 1;
    }

    private static int Stopped(TextWriter error, ulong done, ulong total, int found)
    {
        error.WriteLine($"{(Console.IsErrorRedirected ? "" : "\r\e[K")}netdump: stopped after {done} of {total} pages ({done * 100 / Math.Max(1, total)} %), {found} found");
        return 1;
    }

    private static CrashedKernel? Open(VmcoreFile dump)
    {
        try
        {
            return new CrashedKernel(dump);
        }
        catch (VmcoreFormatException)
        {
            return null; // physical addresses alone
        }
    }

    private static void Print(TextWriter output, CrashedKernel? kernel, ulong physical, bool asJson)
    {
        ulong? address = kernel?.Memory.DirectMapStart is { } start ? unchecked(start + physical) : null;
        // The kernel's image lies in the direct map as well; its symbols are of the other place.
        string? symbol = null;
        if (kernel?.Symbols is { } symbols && symbols.TryFind("_text", out ulong text) && kernel.Memory.TryTranslateImage(text, out ulong at)
            && physical >= at && symbols.TryFind("_end", out ulong end) && physical - at < end - text && symbols.TryResolve(text + (physical - at), out var match))
            symbol = $"{match.Name}+0x{text + (physical - at) - match.Start:x}";
        if (asJson)
            output.WriteLine($"{{\"physical\":\"0x{physical:x}\",\"address\":{(address is { } a ? $"\"0x{a:x}\"" : "null")},\"symbol\":{(symbol is null ? "null" : $"\"{symbol}\"")}}}");
        else
            output.WriteLine($"{(address is { } virtual_ ? $"{virtual_:x16}" : "-")}  physical {physical:x}{(symbol is null ? "" : $"  {symbol}")}");
    }
}
