namespace Netdump.Vmcore.Elf;

/// <summary>What a file that is no ELF core looks like, for an error that helps. Judged by its first bytes, never by its name.</summary>
internal static class FileKind
{
    public static string Describe(ReadOnlySpan<byte> start)
    {
        if (start.IsEmpty)
            return "empty";
        return start.StartsWith((ReadOnlySpan<byte>)[0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0])
            ? "packed by xz: unpack it first"
            : $"a file that begins with {Convert.ToHexStringLower(start[..Math.Min(8, start.Length)])}";
    }
}
