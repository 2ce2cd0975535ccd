using System.Buffers.Binary;

namespace Netdump.Server.Tests.Storage;

/// <summary>
/// A small file with the layout of /proc/vmcore: header area, notes, and memory in chunks of whole pages, the "kernel image" twice.
/// </summary>
internal sealed class KernelCore
{
    public const int PageSize = 4096;

    private readonly List<(ulong Address, ulong Size)> _segments = [];
    private readonly Dictionary<ulong, byte[]> _pages = [];

    /// <summary>The image of 5 pages at 0x40000, a BIOS range that does not end at a page border, and two ranges of memory.</summary>
    public static KernelCore Typical(Random random)
    {
        var core = new KernelCore();
        core._segments.Add((0x40000, 5 * PageSize));
        core._segments.Add((0x1000, 0x9ec00 & 0x1fc00));
        core._segments.Add((0x20000, 0x40000));
        core._segments.Add((0x100200, 0x7000));
        foreach ((ulong address, ulong size) in core._segments)
        {
            for (ulong pfn = address / PageSize; pfn * PageSize < address + size; pfn++)
            {
                if (core._pages.ContainsKey(pfn))
                    continue;
                var page = new byte[PageSize];
                if (random.Next(4) != 0)
                    random.NextBytes(page);
                core._pages.Add(pfn, page);
            }
        }

        return core;
    }

    public ulong PageCount => _pages.Keys.Max() + 1;

    public IReadOnlyDictionary<ulong, byte[]> Pages => _pages;

    public byte[] Header()
    {
        var header = new byte[2 * PageSize];
        "\u007fELF"u8.CopyTo(header);
        header[4] = 2;
        header[5] = header[6] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(16), 4);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(18), 62);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(20), 1);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(32), 64);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(52), 64);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(54), 56);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(56), (ushort)(_segments.Count + 1));
        Segment(header, 0, type: 4, offset: PageSize, address: 0, size: 0x200);
        header.AsSpan(PageSize, 0x200).Fill(0x5a);
        long chunk = header.Length;
        for (int i = 0; i < _segments.Count; i++)
        {
            (ulong address, ulong size) = _segments[i];
            Segment(header, i + 1, type: 1, chunk + (long)(address % PageSize), address, size);
            chunk += (long)PagesOf(address, size) * PageSize;
        }

        return header;
    }

    public byte[] File()
    {
        using var file = new MemoryStream();
        file.Write(Header());
        foreach ((ulong address, ulong size) in _segments)
        {
            for (ulong i = 0; i < PagesOf(address, size); i++)
                file.Write(_pages[address / PageSize + i]);
        }

        return file.ToArray();
    }

    public static void Segment(byte[] header, int index, uint type, long offset, ulong address, ulong size)
    {
        Span<byte> entry = header.AsSpan(64 + index * 56, 56);
        BinaryPrimitives.WriteUInt32LittleEndian(entry, type);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], (ulong)offset);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], 0xffff888000000000 + address);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[24..], address);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[32..], size);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[40..], size);
    }

    private static ulong PagesOf(ulong address, ulong size) => (address % PageSize + size + PageSize - 1) / PageSize;
}
