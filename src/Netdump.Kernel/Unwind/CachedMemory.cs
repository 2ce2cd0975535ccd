using System.Buffers.Binary;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Unwind;

/// <summary>Kernel memory through a few pages that are kept: a binary search and a stack come back to the same ones. For one thread.</summary>
/// <remarks>What could not be read stays so: a dump does not change.</remarks>
internal sealed class CachedMemory
{
    private const int PageSize = 4096;
    private const int Slots = 64;

    private readonly MemoryReader _read;
    private readonly byte[]?[] _pages = new byte[Slots][];
    private readonly ulong[] _addresses = new ulong[Slots];
    private readonly int[] _lengths = new int[Slots];

    public CachedMemory(MemoryReader read) => _read = read;

    /// <summary>Reads memory.</summary>
    /// <returns>Bytes read.</returns>
    public int Read(ulong address, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length)
        {
            var at = unchecked(address + (ulong)done);
            if (at < address)
                break; // wrapped at 2^64
            var page = Page(at & ~(ulong)(PageSize - 1));
            var inPage = (int)(at & (PageSize - 1));
            if (inPage >= page.Length)
                break;
            var count = Math.Min(destination.Length - done, page.Length - inPage);
            page.Slice(inPage, count).CopyTo(destination[done..]);
            done += count;
        }
        return done;
    }

    public bool TryRead(ulong address, Span<byte> destination) => Read(address, destination) == destination.Length;

    public bool TryReadUInt64(ulong address, out ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        var found = TryRead(address, bytes);
        value = found ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : 0;
        return found;
    }

    public bool TryReadInt32(ulong address, out int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        var found = TryRead(address, bytes);
        value = found ? BinaryPrimitives.ReadInt32LittleEndian(bytes) : 0;
        return found;
    }

    private ReadOnlySpan<byte> Page(ulong address)
    {
        var number = address / PageSize;
        var slot = (int)((number ^ number >> 6 ^ number >> 13) % Slots);
        if (_pages[slot] is not { } page)
            page = _pages[slot] = new byte[PageSize];
        else if (_addresses[slot] == address)
            return page.AsSpan(0, _lengths[slot]);
        _addresses[slot] = address;
        _lengths[slot] = _read(address, page);
        return page.AsSpan(0, _lengths[slot]);
    }
}
