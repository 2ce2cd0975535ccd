using System.Text.Unicode;

namespace Netdump.Protocols.Classic;

/// <summary>The texts original clients put into their replies, byte for byte (redhat-netdump 2.5).</summary>
public static class ClassicText
{
    /// <summary>No text of a reply (but LOG and START) is longer.</summary>
    public const int MaximumLength = 64;

    /// <summary>HELLO, whatever version is negotiated.</summary>
    public static ReadOnlySpan<byte> Hello => "Hello, this is netdump version 0.04\n"u8;

    /// <summary>The 23 bytes before the registers.</summary>
    public static ReadOnlySpan<byte> Registers => "Sending register info.\n"u8;

    /// <summary>END_NETDUMP.</summary>
    public static ReadOnlySpan<byte> End => "NETDUMP end.\n"u8;

    /// <summary>The line by which an original client announces itself when its module is loaded.</summary>
    public static ReadOnlySpan<byte> Startup => "[...network console startup...]\n"u8;

    /// <summary>NR_PAGES: the count in decimal. Returns bytes written; the destination takes <see cref="MaximumLength"/>.</summary>
    public static int WritePageCount(Span<byte> destination, uint pages) =>
        Utf8.TryWrite(destination, $"Number of pages: {pages}\n", out int written) ? written : throw TooShort();

    /// <summary>PAGE_SIZE: the size in decimal. Returns bytes written; the destination takes <see cref="MaximumLength"/>.</summary>
    public static int WritePageSize(Span<byte> destination, uint bytes) =>
        Utf8.TryWrite(destination, $"PAGE_SIZE: {bytes}\n", out int written) ? written : throw TooShort();

    /// <summary>ERROR for a page past the end: both numbers hexadecimal, 8 digits or more. Returns bytes written.</summary>
    public static int WritePageTooBig(Span<byte> destination, uint page, uint maximum) =>
        Utf8.TryWrite(destination, $"page {page:x8} is bigger than max page # {maximum:x8}!\n", out int written) ? written : throw TooShort();

    /// <summary>ERROR for an unknown command: a signed decimal number, as C prints it. Returns bytes written.</summary>
    public static int WriteUnknownCommand(Span<byte> destination, uint command) =>
        Utf8.TryWrite(destination, $"Got unknown command code {(int)command}!\n", out int written) ? written : throw TooShort();

    private static ArgumentException TooShort() => new($"a reply text needs up to {MaximumLength} bytes");
}
