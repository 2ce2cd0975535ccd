using Netdump.Vmcore;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Output;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>Makes dump files of inputs, and compares the ways to read them.</summary>
internal static class MemoryDump
{
    /// <summary>
    /// Lays an input into a file: its parts go to the places where fields are, and what is between those is zero, so that a change hits a
    /// field. The file ends where the input does; one that fills all places is followed by <paramref name="tail"/> zeros.
    /// </summary>
    public static byte[] LayOut(ReadOnlySpan<byte> input, IReadOnlyList<(int At, int Length)> places, int tail)
    {
        byte[] file = new byte[places[^1].At + places[^1].Length + tail];
        int end = file.Length;
        foreach ((int at, int length) in places)
        {
            int part = Math.Min(length, input.Length);
            input[..part].CopyTo(file.AsSpan(at));
            input = input[part..];
            if (part < length)
            {
                end = at + part;
                break;
            }
        }

        return file[..end];
    }

    /// <summary>The input that <see cref="LayOut"/> makes a file of.</summary>
    public static byte[] Gather(byte[] file, IReadOnlyList<(int At, int Length)> places) =>
        [.. places.SelectMany(place => file.AsSpan(Math.Min(place.At, file.Length), Math.Clamp(file.Length - place.At, 0, place.Length)).ToArray())];

    /// <summary>Reads pages in both ways there are; says what differs, or null.</summary>
    public static string? Differences(VmcoreFile dump, int mostRanges, int pagesOfRange)
    {
        byte[] page = new byte[dump.PageSize], again = new byte[dump.PageSize];
        using PageReader reader = dump.Physical.OpenReader();
        foreach (PageRange range in dump.Physical.Ranges.Take(mostRanges))
        {
            for (ulong pfn = range.First; pfn < range.End && pfn < range.First + (ulong)pagesOfRange; pfn++)
            {
                PageState said = dump.Physical.StateOf(pfn);
                PageState state = dump.Physical.ReadInPage(pfn, 0, page);
                if (said != state && !(said == PageState.Present && state is PageState.Corrupt or PageState.Lost)) return $"page {pfn} is {said} and reads as {state}";
                PageState other = reader.Read(pfn, out ReadOnlySpan<byte> bytes);
                if (state != other) return $"page {pfn} is {state} by itself and {other} in order";
                if (state is PageState.Present or PageState.NotInDump)
                {
                    if (!bytes.SequenceEqual(page)) return $"page {pfn} has other bytes in order";
                    if (dump.Physical.ReadInPage(pfn, 100, again.AsSpan(0, 50)) != state || !again.AsSpan(0, 50).SequenceEqual(page.AsSpan(100, 50)))
                        return $"page {pfn} has other bytes when a part is read";
                }
                else if (!bytes.IsEmpty) return $"page {pfn} is {state} and has bytes";
            }
        }

        return null;
    }
}

/// <summary>The start of a file that is written, in memory; what lies beyond is forgotten.</summary>
internal sealed class MemoryOutput(int limit) : DumpOutput
{
    public byte[] Bytes { get; } = new byte[limit];

    public long Length { get; private set; }

    public override void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        Length = Math.Max(Length, offset + bytes.Length);
        if (offset < limit) bytes[..(int)Math.Min(bytes.Length, limit - offset)].CopyTo(Bytes.AsSpan((int)offset));
    }

    public override void Extend(long length) => Length = Math.Max(Length, length);

    public override void Finish()
    {
    }

    public override void Dispose()
    {
    }
}
