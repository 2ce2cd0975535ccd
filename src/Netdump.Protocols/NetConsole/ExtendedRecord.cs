namespace Netdump.Protocols.NetConsole;

/// <summary>Whether an extended datagram is a whole record or a piece of one.</summary>
public enum FragmentMark
{
    /// <summary>A whole record.</summary>
    None,

    /// <summary>A piece: <see cref="ExtendedRecord.FragmentOffset"/> of <see cref="ExtendedRecord.FragmentTotal"/>.</summary>
    Piece,

    /// <summary>Carries an ncfrag key that no sender can mean (netconsole.md 2.7): counted and dropped.</summary>
    Invalid,
}

/// <summary>
/// One extended netconsole datagram, read in place: <c>[release,]prio,seq,usec,flag[,key=value…];body</c>, all numbers decimal text
/// (netconsole.md 2.3; the kernel's info_print_ext_header). Spans point into the datagram; text and dictionary are still escaped.
/// </summary>
public readonly ref struct ExtendedRecord
{
    /// <summary>Largest body (text, dictionary, userdata, sysdata) of one record accepted, in bytes: 2048 + 65536 + 1024 and a reserve.</summary>
    public const int MaximumBody = 72 * 1024;

    /// <summary>The header's `;` must lie within this many bytes of the start.</summary>
    public const int MaximumHeader = 300;

    /// <summary>Longest release prefix: the kernel's utsname field less its terminator.</summary>
    public const int MaximumRelease = 64;

    private const uint MaximumPriority = 255 * 8 + 7;

    /// <summary>`uname -r` of the sender when it prepends it, else empty.</summary>
    public ReadOnlySpan<byte> Release { get; private init; }

    /// <summary>facility * 8 + level, as sent. A line written to /dev/kmsg has facility 1 or more.</summary>
    public ushort Priority { get; private init; }

    /// <summary>syslog level, 0 (emergency) to 7 (debug).</summary>
    public byte Level => (byte)(Priority & 7);

    /// <summary>syslog facility; 0 is the kernel itself.</summary>
    public byte Facility => (byte)(Priority >> 3);

    /// <summary>Number of the record in the kernel's log, from 0 at boot.</summary>
    public ulong Sequence { get; private init; }

    /// <summary>printk time in microseconds, about since boot; many records of one report share a value.</summary>
    public ulong Microseconds { get; private init; }

    /// <summary>`-` complete, `c` continues its caller's last record, `+` continuation on old kernels.</summary>
    public byte Flag { get; private init; }

    /// <summary>Header from its first byte up to the `;` less the ncfrag key: equal in all pieces of a record.</summary>
    public ReadOnlySpan<byte> CommonHeader { get; private init; }

    /// <summary>Header fields after the flag, separated by commas, unknown ones included; may be empty.</summary>
    public ReadOnlySpan<byte> HeaderKeys { get; private init; }

    /// <summary>`T` + pid or `C` + cpu of the reporting context, when the kernel records callers; else empty.</summary>
    public ReadOnlySpan<byte> Caller { get; private init; }

    /// <summary>Whole, piece or nonsense.</summary>
    public FragmentMark Fragment { get; private init; }

    /// <summary>Offset of this piece's slice in the body, in bytes.</summary>
    public int FragmentOffset { get; private init; }

    /// <summary>Length of the whole body, in bytes, at most <see cref="MaximumBody"/>.</summary>
    public int FragmentTotal { get; private init; }

    /// <summary>Everything after the `;`: a whole body or a slice of it.</summary>
    public ReadOnlySpan<byte> Body { get; private init; }

    /// <summary>The text, still escaped, without its newline. A leading space belongs to it. Of a piece: meaningless.</summary>
    public ReadOnlySpan<byte> EscapedText
    {
        get
        {
            int end = Body.IndexOf((byte)'\n');
            return end < 0 ? Body : Body[..end];
        }
    }

    /// <summary>Dictionary, userdata and sysdata: the lines after the text's newline.</summary>
    public RecordLines Lines
    {
        get
        {
            int end = Body.IndexOf((byte)'\n');
            return new RecordLines(end < 0 ? default : Body[(end + 1)..]);
        }
    }

    /// <summary>
    /// Reads a datagram; false when it has no extended header (it is then basic text or something else).
    /// A datagram with a header but an impossible ncfrag key is read, with <see cref="FragmentMark.Invalid"/>.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> datagram, out ExtendedRecord record)
    {
        record = default;
        int semicolon = datagram[..Math.Min(datagram.Length, MaximumHeader)].IndexOf((byte)';');
        if (semicolon < 0) return false;
        ReadOnlySpan<byte> header = datagram[..semicolon];
        ReadOnlySpan<byte> rest = header;

        ReadOnlySpan<byte> release = default;
        if (!TryTakeNumber(ref rest, out ulong priority))
        {
            release = TakeField(ref rest);
            if (!IsRelease(release) || !TryTakeNumber(ref rest, out priority)) return false;
        }

        if (priority > MaximumPriority) return false;
        if (!TryTakeNumber(ref rest, out ulong sequence) || !TryTakeNumber(ref rest, out ulong microseconds)) return false;
        ReadOnlySpan<byte> field = TakeField(ref rest);
        if (field.Length != 1 || field[0] is not ((byte)'-' or (byte)'c' or (byte)'+')) return false;

        ReadOnlySpan<byte> body = datagram[(semicolon + 1)..];
        FragmentMark mark = ReadKeys(rest, body.Length, out ReadOnlySpan<byte> caller, out int offset, out int total, out int markLength);
        // netconsole's exactly-1000 defect puts a terminator where the last newline was; it never does so to a piece.
        if (mark == FragmentMark.None && body.Length > 0 && body[^1] == 0) body = body[..^1];

        record = new ExtendedRecord
        {
            Release = release,
            Priority = (ushort)priority,
            Sequence = sequence,
            Microseconds = microseconds,
            Flag = field[0],
            CommonHeader = header[..(header.Length - markLength)],
            HeaderKeys = rest,
            Caller = caller,
            Fragment = mark,
            FragmentOffset = offset,
            FragmentTotal = total,
            Body = body,
        };
        return true;
    }

    /// <summary>Finds the caller and the ncfrag key, which senders always put last.</summary>
    private static FragmentMark ReadKeys(
        ReadOnlySpan<byte> keys, int bodyLength, out ReadOnlySpan<byte> caller, out int offset, out int total, out int markLength)
    {
        caller = default;
        offset = total = markLength = 0;
        FragmentMark mark = FragmentMark.None;
        while (!keys.IsEmpty)
        {
            ReadOnlySpan<byte> key = TakeField(ref keys);
            if (key.StartsWith("caller="u8)) caller = key[7..];
            if (!key.StartsWith("ncfrag="u8)) continue;
            bool possible = mark == FragmentMark.None && keys.IsEmpty && TryReadFragment(key[7..], bodyLength, out offset, out total);
            mark = possible ? FragmentMark.Piece : FragmentMark.Invalid;
            markLength = possible ? key.Length + 1 : 0;
        }

        return mark;
    }

    private static bool TryReadFragment(ReadOnlySpan<byte> value, int bodyLength, out int offset, out int total)
    {
        offset = total = 0;
        int slash = value.IndexOf((byte)'/');
        if (slash < 0 || bodyLength == 0) return false;
        if (!TryReadNumber(value[..slash], out ulong from) || !TryReadNumber(value[(slash + 1)..], out ulong of)) return false;
        if (of is 0 or > MaximumBody || from >= of || (ulong)bodyLength > of - from) return false;
        offset = (int)from;
        total = (int)of;
        return true;
    }

    private static ReadOnlySpan<byte> TakeField(scoped ref ReadOnlySpan<byte> rest)
    {
        int comma = rest.IndexOf((byte)',');
        ReadOnlySpan<byte> field = comma < 0 ? rest : rest[..comma];
        rest = comma < 0 ? default : rest[(comma + 1)..];
        return field;
    }

    /// <summary>Takes a field of decimal digits, at most 2^64 - 1, with the comma behind it; of another field nothing is taken.</summary>
    private static bool TryTakeNumber(scoped ref ReadOnlySpan<byte> rest, out ulong value)
    {
        value = 0;
        int at = 0;
        for (; at < rest.Length; at++)
        {
            uint digit = (uint)(rest[at] - '0');
            if (digit > 9) break;
            if (value >= ulong.MaxValue / 10 && value > (ulong.MaxValue - digit) / 10) return false;
            value = value * 10 + digit;
        }

        if (at == 0 || (at < rest.Length && rest[at] != (byte)',')) return false;
        rest = at < rest.Length ? rest[(at + 1)..] : default;
        return true;
    }

    private static bool IsRelease(ReadOnlySpan<byte> field) =>
        field.Length is > 0 and <= MaximumRelease && !field.ContainsAnyExceptInRange((byte)0x21, (byte)0x7E);

    /// <summary>Decimal digits only, at most 2^64 - 1.</summary>
    internal static bool TryReadNumber(ReadOnlySpan<byte> digits, out ulong value)
    {
        value = 0;
        if (digits.IsEmpty) return false;
        foreach (byte b in digits)
        {
            uint digit = (uint)(b - '0');
            if (digit > 9 || value > (ulong.MaxValue - digit) / 10) return false;
            value = value * 10 + digit;
        }

        return true;
    }
}
