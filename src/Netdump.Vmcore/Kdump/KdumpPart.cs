using Netdump.Vmcore.Codecs;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Kdump;

/// <summary>One file of a kdump-compressed dump; most dumps are one file, a split one has several.</summary>
internal sealed class KdumpPart
{
    private long _startRank = -1;

    public KdumpPart(DumpBytes bytes, KdumpHeader header)
    {
        Bytes = bytes;
        Header = header;
        Stored = new PageBitmap(bytes, header.StoredBitmapOffset, header.PageCount);
    }

    public DumpBytes Bytes { get; }

    public KdumpHeader Header { get; }

    /// <summary>Of which pages of the whole dump the bytes are stored (bitmap 2).</summary>
    public PageBitmap Stored { get; }

    /// <summary>File offset of the descriptor of a page that is stored in this part.</summary>
    public long DescriptorAt(ulong page) => DescriptorOfRank(Stored.Rank(page));

    /// <summary>File offset of the descriptor of a page that has so many stored ones before it in the whole dump.</summary>
    public long DescriptorOfRank(ulong rank) => Header.DescriptorOffset + (long)(rank - StartRank) * PageDescriptor.Length;

    /// <summary>Whether the file is as long as its descriptors say, but for the data itself.</summary>
    public bool HoldsDescriptors =>
        DescriptorOfRank(Stored.Rank(Header.EndPage)) <= Bytes.Length;

    /// <summary>Where the data of the last pages ends by their descriptors: writers put pages in order, so a file that was cut short ends before.</summary>
    public long DataEnd()
    {
        const int Last = 256;
        var end = DescriptorOfRank(Stored.Rank(Header.EndPage));
        var at = Math.Max(Header.DescriptorOffset, end - Last * PageDescriptor.Length);
        var buffer = new byte[Last * PageDescriptor.Length];
        var got = Bytes.Read(at, buffer.AsSpan(0, (int)Math.Max(0, end - at)));
        var needed = end;
        for (var i = 0; i + PageDescriptor.Length <= got; i += PageDescriptor.Length)
        {
            var descriptor = PageDescriptor.Parse(buffer.AsSpan(i), Header.IsBigEndian);
            // What contradicts the format says nothing of the file's length.
            if (!descriptor.IsLost && descriptor.Trouble(Header.BlockSize) is null && descriptor.Offset < long.MaxValue / 2)
                needed = Math.Max(needed, (long)descriptor.Offset + descriptor.Size);
        }
        return needed;
    }

    /// <summary>Goes through the table of pages: how many have their bytes in the file, and how many of these share the zero page.</summary>
    public (ulong There, ulong Zero) CountDescriptors(int pageSize)
    {
        var buffer = GC.AllocateUninitializedArray<byte>(1 << 20);
        var usable = buffer.Length / PageDescriptor.Length * PageDescriptor.Length;
        var (there, zero) = (0UL, 0UL);
        var end = DescriptorOfRank(Stored.Rank(Header.EndPage));
        // Writers that share one zero page put it before all other data.
        var page = new byte[pageSize];
        var hasZero = Bytes.Read(end, page) == page.Length && ZeroPage.IsZero(page);
        for (var at = Header.DescriptorOffset; at < end; at += usable)
        {
            var got = Bytes.Read(at, buffer.AsSpan(0, (int)Math.Min(usable, end - at)));
            for (var i = 0; i + PageDescriptor.Length <= got; i += PageDescriptor.Length)
            {
                var descriptor = PageDescriptor.Parse(buffer.AsSpan(i), Header.IsBigEndian);
                if (KdumpMemory.IsBeyond(descriptor, this))
                    continue;
                there++;
                if (hasZero && descriptor.Offset == (ulong)end && descriptor.Codec == PageCodec.None)
                    zero++;
            }
            if (got < usable)
                break;
        }
        return (there, zero);
    }

    private ulong StartRank
    {
        get
        {
            var rank = Volatile.Read(ref _startRank);
            if (rank < 0)
                Volatile.Write(ref _startRank, rank = (long)Stored.Rank(Header.StartPage));
            return (ulong)rank;
        }
    }
}
