using Netdump.Vmcore.Codecs;

namespace Netdump.Vmcore.Kdump;

/// <summary>One page_desc: where the bytes of a page lie (24 bytes: offset u64, size u32, flags u32, page_flags u64).</summary>
internal readonly record struct PageDescriptor(ulong Offset, uint Size, uint Flags)
{
    public const int Length = 24;

    public PageCodec Codec => (PageCodec)(Flags & KdumpHeader.CodecStatus);

    /// <summary>Whether the writer never came to this page.</summary>
    public bool IsLost => Offset == 0;

    public static PageDescriptor Parse(ReadOnlySpan<byte> bytes, bool isBigEndian)
    {
        var fields = new FieldReader(bytes, isBigEndian);
        return new PageDescriptor(fields.U64(0), fields.U32(8), fields.U32(12));
    }

    /// <summary>What contradicts the format, naming the field; null when the descriptor can be right.</summary>
    public string? Trouble(int pageSize)
    {
        if (Size == 0 || Size > (uint)pageSize)
            return $"page_desc.size is {Size}, a page has {pageSize} bytes";
        if (Codec is not (PageCodec.None or PageCodec.Zlib or PageCodec.Lzo or PageCodec.Snappy or PageCodec.Zstd))
            return $"page_desc.flags 0x{Flags:x} names more than one codec";
        return Codec == PageCodec.None && Size != (uint)pageSize ? $"page_desc.size is {Size} without a codec, {pageSize} is a page" : null;
    }
}
