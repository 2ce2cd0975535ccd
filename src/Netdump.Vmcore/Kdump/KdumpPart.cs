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
