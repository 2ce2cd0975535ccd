using System.IO.Compression;

namespace Netdump.Vmcore.Packed;

/// <summary>How a whole file is packed, told from its first bytes.</summary>
public enum Packing
{
    /// <summary>Not packed.</summary>
    None,

    /// <summary>zstd (RFC 8878).</summary>
    Zstd,

    /// <summary>gzip (RFC 1952).</summary>
    Gzip,
}

/// <summary>Opens packed files.</summary>
internal static class PackedStreams
{
    /// <summary>The largest window a zstd file may ask for: 128 MiB, what <c>zstd --long=27</c> uses and zstd itself takes unasked.</summary>
    private const int MostWindowBits = 27;

    public static Packing PackingOf(ReadOnlySpan<byte> start) =>
        start.StartsWith((ReadOnlySpan<byte>)[0x28, 0xb5, 0x2f, 0xfd]) ? Packing.Zstd
        : start.StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b]) ? Packing.Gzip
        : Packing.None;

    public static Stream Open(Packing packing, Stream packed)
    {
        if (packing == Packing.None)
            return packed;
        if (packing == Packing.Gzip)
            return new GZipStream(packed, CompressionMode.Decompress);
        var zstd = new ZstdSharp.DecompressionStream(packed, checkEndOfStream: true, leaveOpen: false);
        zstd.SetParameter(ZstdSharp.Unsafe.ZSTD_dParameter.ZSTD_d_windowLogMax, MostWindowBits);
        return zstd;
    }
}
