using System.Buffers.Binary;

namespace Netdump.Vmcore.Memory;

/// <summary>What one entry of a page table says.</summary>
internal enum TableEntry
{
    /// <summary>Nothing is mapped below it.</summary>
    NotPresent,

    /// <summary>It points at the next table.</summary>
    Table,

    /// <summary>It ends the walk: a page, or a block of memory as large as the entry covers.</summary>
    Leaf,

    /// <summary>The processor would refuse it.</summary>
    Reserved,
}

/// <summary>The kernel's page tables: the walk that all machines share. For one thread.</summary>
internal abstract class PageTables
{
    // Tables are kept by level, so that the many tables of the last level do not push out the few above them.
    private const int TablesPerLevel = 4;

    private readonly MemoryReader _physical;
    private readonly int _pageShift;
    private readonly int _indexBits;
    private readonly int _addressBits;
    private readonly ulong _root;
    private readonly byte[][] _tables;
    private readonly ulong[] _tableAddresses;

    /// <summary>Describes the tables.</summary>
    /// <param name="physical">Physical memory.</param>
    /// <param name="pageShift">Bits of an offset in a page.</param>
    /// <param name="addressBits">Bits of an address that are translated.</param>
    /// <param name="root">Physical address of the top table.</param>
    protected PageTables(MemoryReader physical, int pageShift, int addressBits, ulong root)
    {
        _physical = physical;
        _pageShift = pageShift;
        _indexBits = pageShift - 3; // entries of 8 bytes fill a page
        _addressBits = addressBits;
        _root = root;
        Levels = (addressBits - pageShift + _indexBits - 1) / _indexBits;
        _tables = new byte[Levels * TablesPerLevel][];
        _tableAddresses = new ulong[_tables.Length];
        Array.Fill(_tableAddresses, ulong.MaxValue);
    }

    /// <summary>Levels of tables.</summary>
    public int Levels { get; }

    /// <summary>Bytes of a page.</summary>
    public int PageSize => 1 << _pageShift;

    /// <summary>The address without tag bits; as the tables see it.</summary>
    public virtual ulong Untagged(ulong address) => address;

    /// <summary>Whether the kernel's tables translate such addresses at all.</summary>
    public abstract bool IsCanonical(ulong address);

    /// <summary>Translates by the rule for the kernel image; false outside of it.</summary>
    public abstract bool TryImage(ulong address, out ulong physical);

    /// <summary>Translates by the rule for the direct (linear) map of physical memory; false outside of it or when the rule is not known.</summary>
    public abstract bool TryDirect(ulong address, out ulong physical);

    /// <summary>Walks the tables.</summary>
    /// <param name="address">Virtual address, untagged.</param>
    /// <param name="physical">Physical address when mapped.</param>
    /// <param name="size">Bytes of the page or block the address lies in, a power of two.</param>
    public TranslationResult Walk(ulong address, out ulong physical, out ulong size)
    {
        (physical, size) = (0, 0);
        if (!IsCanonical(address))
            return TranslationResult.NotCanonical;
        var table = _root;
        for (var level = Levels - 1; level >= 0; level--)
        {
            var shift = _pageShift + _indexBits * level;
            var bits = Math.Min(_indexBits, _addressBits - shift); // the top table may be smaller
            var bytes = Table(table, level);
            if (bytes is null)
                return TranslationResult.TableMissing;
            var index = (int)((address >> shift) & ((1UL << bits) - 1));
            var kind = Decode(BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan((int)(table % (ulong)PageSize) + index * 8)), level, out table);
            if (kind == TableEntry.NotPresent)
                return TranslationResult.NotPresent;
            if (kind == TableEntry.Reserved)
                return TranslationResult.Reserved;
            if (kind == TableEntry.Leaf)
            {
                size = 1UL << shift;
                physical = (table & ~(size - 1)) | (address & (size - 1));
                return TranslationResult.Mapped;
            }
        }
        return TranslationResult.Reserved; // the last level points at a table: Decode never says so
    }

    /// <summary>Reads one entry.</summary>
    /// <param name="entry">Its 64 bits.</param>
    /// <param name="level">0 for the last level of tables.</param>
    /// <param name="target">Physical address it holds, attribute bits cleared.</param>
    protected abstract TableEntry Decode(ulong entry, int level, out ulong target);

    private byte[]? Table(ulong address, int level)
    {
        var page = address & ~(ulong)(PageSize - 1);
        var slot = level * TablesPerLevel + (int)((page >> _pageShift) % TablesPerLevel);
        if (_tableAddresses[slot] == page)
            return _tables[slot];
        var bytes = _tables[slot] ??= new byte[PageSize];
        _tableAddresses[slot] = ulong.MaxValue;
        if (_physical(page, bytes) != PageSize)
            return null;
        _tableAddresses[slot] = page;
        return bytes;
    }
}
