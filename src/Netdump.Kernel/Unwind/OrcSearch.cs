using System.Buffers;
using System.Runtime.InteropServices;

namespace Netdump.Kernel.Unwind;

/// <summary>Finds the kernel image's ORC tables without symbols, by what they look like.</summary>
internal static class OrcSearch
{
    private const int Span = 80 << 20;
    private const int Chunk = 1 << 20;
    private const int FewestEntries = 10_000;

    /// <summary>
    /// Looks through the image for a self-relative address of its first code (_stext) that begins a long ascending row; the entries follow
    /// it. The kernel's symbol table has that form too since 7.0: what follows there is no table of entries.
    /// </summary>
    public static OrcTable? Find(CrashedKernel kernel, CachedMemory memory)
    {
        if (kernel.Info.Symbol("_stext") is not { } start)
            return null;
        var buffer = ArrayPool<byte>.Shared.Rent(Chunk);
        try
        {
            for (var from = start; from - start < Span; from += Chunk)
            {
                var bytes = buffer.AsSpan(0, Chunk);
                ReadAround(kernel, from, bytes);
                var words = MemoryMarshal.Cast<byte, int>(bytes);
                for (var i = 0; i < words.Length; i++)
                {
                    var at = unchecked(from + (ulong)i * 4);
                    if (words[i] == unchecked((int)(long)(start - at)) && TableAt(memory, at) is { } table)
                        return table;
                }
            }
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // The image has holes, and a dump leaves pages out: both read as zeros here, which no self-relative address is.
    private static void ReadAround(CrashedKernel kernel, ulong from, Span<byte> bytes)
    {
        for (var done = 0; done < bytes.Length;)
        {
            done += kernel.Memory.Read(unchecked(from + (ulong)done), bytes[done..]);
            if (done == bytes.Length)
                return;
            var missing = Math.Min(bytes.Length - done, 4096 - (int)((from + (ulong)done) & 4095));
            bytes.Slice(done, missing).Clear();
            done += missing;
        }
    }

    private static OrcTable? TableAt(CachedMemory memory, ulong at)
    {
        var row = new OrcTable(memory, at, 0, OrcTable.MostEntries);
        var count = 0;
        for (ulong last = 0; count < OrcTable.MostEntries && row.TryAddress(count, out var address) && address >= last; count++)
            last = address;
        // The first entry, read as an address, may happen to go on ascending: then the row seems one or a few longer.
        for (var less = 0; less < 16 && count - less > FewestEntries; less++)
        {
            var table = new OrcTable(memory, at, at + (ulong)(count - less) * 4, count - less);
            if (OrcVersions.ByTable(table).Count > 0)
                return table;
        }
        return null;
    }
}
