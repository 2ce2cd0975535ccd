namespace Netdump.Vmcore.Codecs;

/// <summary>How the bytes of a page are stored: the bits of page_desc.flags and of the header's status in a kdump-compressed file.</summary>
public enum PageCodec
{
    /// <summary>As they are.</summary>
    None = 0,

    /// <summary>A zlib stream (RFC 1950).</summary>
    Zlib = 0x01,

    /// <summary>A raw LZO1X block.</summary>
    Lzo = 0x02,

    /// <summary>A raw snappy block, without framing.</summary>
    Snappy = 0x04,

    /// <summary>One zstd frame that tells its content's size (RFC 8878).</summary>
    Zstd = 0x20,
}
