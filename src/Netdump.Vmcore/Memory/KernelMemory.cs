using System.Buffers.Binary;

namespace Netdump.Vmcore.Memory;

/// <summary>How the translation of a virtual address ended.</summary>
public enum TranslationResult
{
    /// <summary>The address is mapped.</summary>
    Mapped,

    /// <summary>No address of this machine's kernel: the bits above the highest translated one do not repeat it.</summary>
    NotCanonical,

    /// <summary>A table entry says that nothing is mapped there.</summary>
    NotPresent,

    /// <summary>A page-table entry that the processor would refuse.</summary>
    Reserved,

    /// <summary>A page of the tables is not in the dump.</summary>
    TableMissing,
}

/// <summary>Why memory could not be read.</summary>
/// <param name="Address">Virtual address of the first byte that is missing.</param>
/// <param name="Translation">How its translation ended.</param>
/// <param name="Physical">Its physical address when it is mapped: then the page is not in the dump.</param>
public readonly record struct MemoryFault(ulong Address, TranslationResult Translation, ulong Physical)
{
    /// <summary>One line for a person.</summary>
    public override string ToString() => Translation switch
    {
        TranslationResult.Mapped => $"page at 0x{Address:x}, physical 0x{Physical:x}, is not in the dump",
        TranslationResult.NotCanonical => $"0x{Address:x} is no address of this machine's kernel",
        TranslationResult.NotPresent => $"nothing is mapped at 0x{Address:x}",
        TranslationResult.Reserved => $"the page tables are corrupt at 0x{Address:x}",
        _ => $"a page table for 0x{Address:x} is not in the dump",
    };
}

/// <summary>The dead kernel's virtual memory, translated with nothing but VMCOREINFO and the page tables in the dump. For one thread.</summary>
/// <remarks>A page that is not there is an ordinary result of every read, never an exception.</remarks>
public sealed class KernelMemory
{
    /// <summary>Where the kernel image begins on x86_64 before phys_base is applied (__START_KERNEL_map).</summary>
    public const ulong ImageStart = 0xffff_ffff_8000_0000;

    /// <summary>The longest text <see cref="TryReadText"/> reads, in bytes.</summary>
    public const int LongestText = 4096;

    private readonly MemoryReader _physical;
    private readonly MemoryMapper? _map;
    private readonly PageTables _tables;

    /// <summary>Finds the kernel's page tables.</summary>
    /// <param name="physical">Physical memory.</param>
    /// <param name="info">The kernel's VMCOREINFO.</param>
    /// <param name="machine">e_machine: x86_64 or arm64.</param>
    /// <param name="physicalEnd">Physical address behind the last byte of memory, for the rule of the direct map; 0 leaves the rule out.</param>
    /// <param name="map">Maps physical memory, where that can be.</param>
    /// <exception cref="VmcoreFormatException">Another machine, a key is missing, or the root table's address makes no sense.</exception>
    public KernelMemory(MemoryReader physical, VmcoreInfo info, ushort machine = Machines.X64, ulong physicalEnd = 0, MemoryMapper? map = null)
    {
        _physical = physical;
        _map = map;
        _tables = machine switch
        {
            Machines.X64 => X64PageTables.Open(physical, info, physicalEnd),
            Machines.Arm64 => Arm64PageTables.Open(physical, info, physicalEnd),
            _ => throw new VmcoreFormatException(-1, $"kernel memory of {Machines.NameOf(machine)} cannot be translated, only of x86_64 and aarch64"),
        };
    }

    /// <summary>Levels of page tables: 2 to 5.</summary>
    public int Levels => _tables.Levels;

    /// <summary>Bytes of the kernel's smallest page.</summary>
    public int PageSize => _tables.PageSize;

    /// <summary>Virtual address of physical address 0 in the direct map of x86_64, learnt from the address of mem_section; null when it could not be.</summary>
    public ulong? DirectMapStart => (_tables as X64PageTables)?.DirectMap;

    /// <summary>Translates by the rule for the kernel image alone.</summary>
    /// <returns>False outside the image's range.</returns>
    public bool TryTranslateImage(ulong address, out ulong physical) => _tables.TryImage(_tables.Untagged(address), out physical);

    /// <summary>Translates by the rule for the direct (linear) map of physical memory alone.</summary>
    /// <returns>False outside of that map, or when its place is not known.</returns>
    public bool TryTranslateDirect(ulong address, out ulong physical) => _tables.TryDirect(_tables.Untagged(address), out physical);

    /// <summary>Translates through the page tables.</summary>
    /// <param name="address">Virtual address.</param>
    /// <param name="physical">Physical address when mapped.</param>
    public TranslationResult Translate(ulong address, out ulong physical) => _tables.Walk(_tables.Untagged(address), out physical, out _);

    /// <summary>Translates through the page tables and tells how far neighbours lie together.</summary>
    /// <param name="address">Virtual address.</param>
    /// <param name="physical">Physical address when mapped.</param>
    /// <param name="size">Bytes of the page or block around the address, a power of two: within it virtual and physical neighbours are the same.</param>
    public TranslationResult Translate(ulong address, out ulong physical, out ulong size) => _tables.Walk(_tables.Untagged(address), out physical, out size);

    /// <summary>Reads virtual memory, page by page, since neighbours need not be neighbours in physical memory.</summary>
    /// <returns>Bytes read: fewer than asked when the next page is not mapped or not in the dump.</returns>
    public int Read(ulong address, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length)
        {
            var at = unchecked(address + (ulong)done);
            if (at < address)
                break; // wrapped at 2^64
            if (Resolve(at, out var physical, out var size) != TranslationResult.Mapped)
                break;
            var left = size - (at & (size - 1));
            var part = destination.Slice(done, (int)Math.Min((ulong)(destination.Length - done), left));
            var got = _physical(physical, part);
            done += got;
            if (got < part.Length)
                break;
        }
        return done;
    }

    /// <summary>A table to be kept: mapped where the dump can be, else a copy.</summary>
    /// <param name="address">Its first byte.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="got">Bytes that are there, from the first on; behind them the view has zeros.</param>
    public MemoryView View(ulong address, int length, out int got)
    {
        if (Map(address, length) is { } mapped)
        {
            got = length;
            return mapped;
        }
        var view = MemoryView.Make(length, out var room);
        got = Read(address, room);
        return view;
    }

    /// <summary>The same of a table of which pages may be missing: they are zeros.</summary>
    public MemoryView ViewWithHoles(ulong address, int length)
    {
        if (Map(address, length) is { } mapped)
            return mapped;
        var view = MemoryView.Make(length, out var room);
        ReadWithHoles(address, room);
        return view;
    }

    /// <summary>Reads virtual memory of which pages may be missing: they are zeros.</summary>
    public void ReadWithHoles(ulong address, Span<byte> destination)
    {
        var page = (ulong)PageSize;
        while (!destination.IsEmpty)
        {
            var got = Read(address, destination);
            if (got == destination.Length)
                return;
            var hole = int.Min(destination.Length - got, (int)(page - unchecked(address + (ulong)got) % page));
            destination.Slice(got, hole).Clear();
            address = unchecked(address + (ulong)(got + hole));
            destination = destination[(got + hole)..];
        }
    }

    /// <summary>Maps a table that lies in physical memory in one piece, as all of the kernel's image does.</summary>
    /// <returns>Null when it does not, or the dump cannot be mapped.</returns>
    public MemoryView? Map(ulong address, int length)
    {
        if (_map is null || length <= 0 || address > ulong.MaxValue - (ulong)length || Resolve(address, out var start, out _) != TranslationResult.Mapped)
            return null;
        for (ulong done = 0; done < (ulong)length;)
        {
            if (Resolve(address + done, out var physical, out var size) != TranslationResult.Mapped || physical != start + done)
                return null;
            done += size - ((address + done) & (size - 1));
        }
        return _map(start, length);
    }

    /// <summary>Reads all of the bytes, or says where and why not.</summary>
    public bool TryRead(ulong address, Span<byte> destination, out MemoryFault fault)
    {
        fault = default;
        var got = Read(address, destination);
        if (got == destination.Length)
            return true;
        var at = unchecked(address + (ulong)got);
        fault = at < address
            ? new MemoryFault(at, TranslationResult.NotCanonical, 0)
            : new MemoryFault(at, Resolve(at, out var physical, out _), physical);
        return false;
    }

    /// <summary>Reads all of the bytes.</summary>
    public bool TryRead(ulong address, Span<byte> destination) => Read(address, destination) == destination.Length;

    /// <summary>Reads a little-endian integer of 8 bytes, or a pointer.</summary>
    public bool TryReadUInt64(ulong address, out ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        var found = TryRead(address, bytes);
        value = found ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : 0;
        return found;
    }

    /// <summary>Reads a little-endian integer of 4 bytes.</summary>
    public bool TryReadUInt32(ulong address, out uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        var found = TryRead(address, bytes);
        value = found ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;
        return found;
    }

    /// <summary>Reads a little-endian integer of 4 bytes with a sign.</summary>
    public bool TryReadInt32(ulong address, out int value)
    {
        var found = TryReadUInt32(address, out var bits);
        value = unchecked((int)bits);
        return found;
    }

    /// <summary>Reads a little-endian integer of 2 bytes.</summary>
    public bool TryReadUInt16(ulong address, out ushort value)
    {
        Span<byte> bytes = stackalloc byte[2];
        var found = TryRead(address, bytes);
        value = found ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : (ushort)0;
        return found;
    }

    /// <summary>Reads one byte.</summary>
    public bool TryReadByte(ulong address, out byte value)
    {
        value = 0;
        return TryRead(address, new Span<byte>(ref value));
    }

    /// <summary>Reads the bytes of a C string, without its NUL.</summary>
    /// <param name="address">Its first byte.</param>
    /// <param name="maximum">The most bytes it may have, at most <see cref="LongestText"/>.</param>
    /// <param name="text">The bytes up to the NUL; without one, all that were read.</param>
    /// <returns>False when a byte before the NUL could not be read; a string longer than <paramref name="maximum"/> is cut there.</returns>
    public bool TryReadText(ulong address, int maximum, out byte[] text)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(maximum, LongestText);
        Span<byte> bytes = stackalloc byte[maximum];
        var got = Read(address, bytes);
        var end = bytes[..got].IndexOf((byte)0);
        text = bytes[..(end < 0 ? got : end)].ToArray();
        return end >= 0 || got == maximum;
    }

    /// <summary>Walks a kernel list (struct list_head, circular): see <see cref="ListWalk"/>.</summary>
    /// <param name="head">Address of the list's head, which is no entry itself.</param>
    /// <param name="maximum">The most entries that are followed.</param>
    public ListWalk WalkList(ulong head, int maximum) => new(this, head, maximum);

    internal static VmcoreFormatException Missing(string key) => new(-1, $"VMCOREINFO has no {key}: kernel memory cannot be translated");

    // Where a table is missing the two rules still hold: in a dump that was cut short they are what is left.
    private TranslationResult Resolve(ulong address, out ulong physical, out ulong size)
    {
        var untagged = _tables.Untagged(address);
        var result = _tables.Walk(untagged, out physical, out size);
        if (result != TranslationResult.TableMissing || !(_tables.TryImage(untagged, out physical) || _tables.TryDirect(untagged, out physical)))
            return result;
        size = (ulong)PageSize;
        return TranslationResult.Mapped;
    }
}
