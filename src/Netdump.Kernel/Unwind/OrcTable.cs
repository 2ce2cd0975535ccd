using System.Buffers.Binary;

namespace Netdump.Kernel.Unwind;

/// <summary>One ORC table where it lies in the dead kernel's memory: of vmlinux, or of a module. Nothing of it is copied.</summary>
/// <remarks>
/// Addresses and entries are two arrays: the addresses self-relative in 4 bytes each and ascending, the entries of 6 bytes
/// (arch/x86/kernel/unwind_orc.c).
/// </remarks>
internal sealed class OrcTable
{
    /// <summary>More than any kernel has: 7.3 has 531 463.</summary>
    public const int MostEntries = 16 << 20;

    private readonly CachedMemory _memory;
    private readonly ulong _addresses;
    private readonly ulong _entries;

    /// <param name="memory">Kernel memory.</param>
    /// <param name="addresses">Where the array of addresses begins.</param>
    /// <param name="entries">Where the array of entries begins.</param>
    /// <param name="count">Entries of both.</param>
    public OrcTable(CachedMemory memory, ulong addresses, ulong entries, int count)
    {
        _memory = memory;
        _addresses = addresses;
        _entries = entries;
        Count = count;
    }

    /// <summary>Entries.</summary>
    public int Count { get; }

    /// <summary>The entry for an address: of those at or below it the last one, since of several at one address the last is meant.</summary>
    /// <returns>False when all lie above, or the table is not in the dump there.</returns>
    public bool TryFind(ulong address, OrcVersion version, out OrcEntry entry)
    {
        entry = default;
        var (low, high) = (0, Count);
        while (low < high)
        {
            var middle = low + (high - low) / 2;
            if (!TryAddress(middle, out var at))
                return false;
            if (at <= address)
                low = middle + 1;
            else
                high = middle;
        }
        if (low == 0 || !TryRaw(low - 1, out var sp, out var bp, out var bits))
            return false;
        entry = OrcEntry.Decode(sp, bp, bits, version);
        return true;
    }

    /// <summary>The code address of an entry.</summary>
    public bool TryAddress(int index, out ulong address)
    {
        var at = unchecked(_addresses + (ulong)index * 4);
        var found = _memory.TryReadInt32(at, out var distance);
        address = unchecked(at + (ulong)(long)distance);
        return found;
    }

    /// <summary>An entry's three half-words.</summary>
    public bool TryRaw(int index, out short spOffset, out short bpOffset, out ushort bits)
    {
        Span<byte> bytes = stackalloc byte[OrcEntry.Size];
        var found = _memory.TryRead(unchecked(_entries + (ulong)index * OrcEntry.Size), bytes);
        (spOffset, bpOffset, bits) = found
            ? (BinaryPrimitives.ReadInt16LittleEndian(bytes), BinaryPrimitives.ReadInt16LittleEndian(bytes[2..]), BinaryPrimitives.ReadUInt16LittleEndian(bytes[4..]))
            : default;
        return found;
    }
}
