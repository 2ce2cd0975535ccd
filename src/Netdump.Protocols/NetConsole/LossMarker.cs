using System.Buffers;
using System.Buffers.Text;

namespace Netdump.Protocols.NetConsole;

/// <summary>What stands in a log where something is missing: <c>[… 951 bytes lost …]</c>.</summary>
public static class LossMarker
{
    /// <summary>Writes the marker, without a newline. It is UTF-8 and holds no backslash, so it survives unescaping.</summary>
    public static void Write(IBufferWriter<byte> output, ulong count, ReadOnlySpan<byte> unit)
    {
        output.Write("[… "u8);
        Span<byte> digits = output.GetSpan(20);
        Utf8Formatter.TryFormat(count, digits, out int written);
        output.Advance(written);
        output.Write(" "u8);
        output.Write(unit);
        output.Write(" lost …]"u8);
    }
}
