using System.Buffers.Text;
using System.Text.Unicode;

namespace Netdump.Protocols.Classic;

/// <summary>What a START says about the crashed kernel, in the old form (≤ 2.4.21-27, i386 only) or the new one (redhat-netdump 2.7).</summary>
/// <param name="Machine">ELF machine number; 3 (i386) for the old form, which carries none.</param>
/// <param name="Version">Highest version of the client, 0 for the old form.</param>
/// <param name="TaskStruct">Kernel address of the crashing task, 0 if not given.</param>
/// <param name="PageOffset">Kernel address of the start of the direct map, 0 if not given.</param>
/// <param name="Magic">The cookie of the client, in clear; null if not given.</param>
/// <param name="Extension">True if the client speaks our extension (<c>ext:1</c>).</param>
public readonly record struct ClassicStart(uint Machine, uint Version, ulong TaskStruct, ulong PageOffset, ulong? Magic, bool Extension)
{
    /// <summary>No START text is longer; bytes behind this are not looked at.</summary>
    public const int MaximumPayload = 512;

    /// <summary>True for a client of the first generation: i386, answers with version 4, holes are sent as zero pages.</summary>
    public bool IsOld => Version == 0 && Machine == ClassicMachine.I386;

    /// <summary>
    /// Whether the magic tells this boot of the host from any other: it is drawn anew at each start of the client, unless keys are not
    /// exchanged (then it is all ones in hexadecimal, redhat-netdump 4.6).
    /// </summary>
    public bool NamesItsBoot => Magic is not (null or 0 or 0x1111_1111_1111_1111);

    /// <summary>Reads a START. Keys may be missing, unknown or in any order; a key whose value is no hexadecimal number counts as missing.</summary>
    /// <returns>False if the reply is no START.</returns>
    public static bool TryParse(in ClassicReplyHeader header, ReadOnlySpan<byte> payload, out ClassicStart start)
    {
        start = default;
        if (header.Code != ClassicReplyCode.Start)
            return false;

        bool old = header.Number == 0 && header.Info == 0;
        ulong? task = null, offset = null, magic = null;
        bool extension = false;
        ReadOnlySpan<byte> rest = payload[..Math.Min(payload.Length, MaximumPayload)];
        while (!rest.IsEmpty)
        {
            int end = rest.IndexOfAny(" \t\r\n\0"u8);
            ReadOnlySpan<byte> word = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            int colon = word.IndexOf((byte)':');
            if (colon < 0)
                continue;
            ReadOnlySpan<byte> key = word[..colon];
            ReadOnlySpan<byte> value = word[(colon + 1)..];
            if (key.SequenceEqual("task_struct"u8))
                task ??= ParseHex(value);
            else if (key.SequenceEqual("page_offset"u8))
                offset ??= ParseHex(value);
            else if (key.SequenceEqual("netdump_magic"u8))
                magic ??= ParseHex(value);
            else if (key.SequenceEqual("ext"u8))
                extension |= value.SequenceEqual("1"u8);
        }

        start = new ClassicStart(old ? ClassicMachine.I386 : header.Number, header.Info, task ?? 0, offset ?? 0, magic, extension);
        // Whoever names no version speaks none of ours, however it names its machine.
        if (start.IsOld)
            start = start with { Extension = false };
        return true;
    }

    /// <summary>The header of this START. Its version byte is always 4, whatever is negotiated later.</summary>
    public ClassicReplyHeader Header => new(ClassicReplyHeader.BaseVersion, IsOld ? 0 : Machine, ClassicReplyCode.Start, Version);

    /// <summary>Writes the text of this START, in the old form if <see cref="IsOld"/>.</summary>
    /// <returns>Bytes written.</returns>
    /// <exception cref="ArgumentException">The destination is too short; <see cref="MaximumPayload"/> is always enough.</exception>
    public int WritePayload(Span<byte> destination)
    {
        int written;
        bool fits = IsOld
            ? Utf8.TryWrite(destination, $"NETDUMP start, waiting for start-ACK.\n", out written)
            : Utf8.TryWrite(
                destination,
                $"task_struct:0x{TaskStruct:x} page_offset:0x{PageOffset:x} netdump_magic:0x{Magic ?? 0:x}{(Extension ? " ext:1" : "")}\n",
                out written);
        return fits ? written : throw new ArgumentException($"a START text needs up to {MaximumPayload} bytes", nameof(destination));
    }

    private static ulong? ParseHex(ReadOnlySpan<byte> value)
    {
        if (value.StartsWith("0x"u8))
            value = value[2..];
        return Utf8Parser.TryParse(value, out ulong number, out int used, 'x') && used == value.Length ? number : null;
    }
}
