using System.Buffers.Binary;
using Netdump.Protocols.NetConsole;

namespace Netdump.Protocols;

/// <summary>What a datagram on the dump port is. The verdict is per datagram: one host mixes all of them, even from one port.</summary>
public enum DatagramDialect
{
    /// <summary>No bytes: ignored and counted.</summary>
    Empty,

    /// <summary>A classic reply (13-byte big-endian header, version byte 4 or 5), LOG included.</summary>
    ClassicReply,

    /// <summary>Laid out like a classic reply, with a version byte nobody is known to send: logged once, ignored.</summary>
    ClassicUnknownVersion,

    /// <summary>An extended netconsole record, or a piece of one.</summary>
    Extended,

    /// <summary>Plain netconsole text, or RHEL's syslog text.</summary>
    Basic,

    /// <summary>Anything else (TLS, DNS, scanners): counted, never a reason to create a host.</summary>
    Junk,
}

/// <summary>Tells the dialects of the dump port apart (netconsole.md section 3).</summary>
public static class Dialects
{
    private const int ClassicHeader = 13;
    private const int ClassicMemory = ClassicHeader + 1024;
    private const int ClassicLogLimit = 1460;
    private const uint ClassicLastCode = 12;

    /// <summary>Classifies one datagram; the first rule that matches wins. Allocates nothing and never throws.</summary>
    /// <param name="datagram">The UDP payload, of any length.</param>
    /// <param name="continuesBasic">
    /// Whether this (address, port) left a basic record unfinished: then its rest may begin with any byte.
    /// </param>
    public static DatagramDialect Classify(ReadOnlySpan<byte> datagram, bool continuesBasic) => Classify(datagram, continuesBasic, out _);

    /// <summary>The same; an extended record comes read, so that no datagram is read twice.</summary>
    public static DatagramDialect Classify(ReadOnlySpan<byte> datagram, bool continuesBasic, out ExtendedRecord record)
    {
        record = default;
        if (datagram.IsEmpty) return DatagramDialect.Empty;
        byte first = datagram[0];
        if (first < 0x09 && IsClassicLayout(datagram))
            return first is 4 or 5 ? DatagramDialect.ClassicReply : DatagramDialect.ClassicUnknownVersion;
        if (ExtendedRecord.TryParse(datagram, out record)) return DatagramDialect.Extended;

        // printk text is a C string: a zero byte means a binary protocol (a DNS query may well begin with a letter).
        // One zero at the very end is netconsole's exactly-1000 defect.
        ReadOnlySpan<byte> text = datagram[^1] == 0 ? datagram[..^1] : datagram;
        if (text.Contains((byte)0)) return DatagramDialect.Junk;
        if (continuesBasic) return DatagramDialect.Basic;
        bool textual = first is >= 0x20 and not 0x7F or (byte)'\t';
        return textual && datagram.Length > 1 ? DatagramDialect.Basic : DatagramDialect.Junk;
    }

    /// <summary>Code and length agree as in a classic reply: RESERVED 13 bytes, MEM 1037, LOG up to 1460, the rest at least 13.</summary>
    private static bool IsClassicLayout(ReadOnlySpan<byte> datagram)
    {
        if (datagram.Length < ClassicHeader) return false;
        uint code = BinaryPrimitives.ReadUInt32BigEndian(datagram[5..]);
        return code switch
        {
            > ClassicLastCode => false,
            2 => datagram.Length <= ClassicLogLimit,
            3 => datagram.Length == ClassicMemory,
            4 => datagram.Length == ClassicHeader,
            _ => true,
        };
    }
}
