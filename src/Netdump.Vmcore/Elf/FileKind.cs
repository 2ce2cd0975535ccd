namespace Netdump.Vmcore.Elf;

/// <summary>What a file that is no ELF core looks like, for an error that helps. Judged by its first bytes, never by its name.</summary>
internal static class FileKind
{
    public static string Describe(ReadOnlySpan<byte> start)
    {
        if (start.IsEmpty)
            return "empty";
        if (start.StartsWith("KDUMP   "u8) || start.StartsWith("DISKDUMP"u8))
            return "a kdump-compressed dump";
        if (start.StartsWith("makedumpfile\0\0\0\0"u8))
            return "a flattened dump: arrange it with makedumpfile -R first";
        if (start.StartsWith((ReadOnlySpan<byte>)[0x28, 0xb5, 0x2f, 0xfd]))
            return "packed by zstd: unpack it first";
        if (start.StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b]))
            return "packed by gzip: unpack it first";
        return start.StartsWith((ReadOnlySpan<byte>)[0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0])
            ? "packed by xz: unpack it first"
            : $"a file that begins with {Convert.ToHexStringLower(start[..Math.Min(8, start.Length)])}";
    }
}
