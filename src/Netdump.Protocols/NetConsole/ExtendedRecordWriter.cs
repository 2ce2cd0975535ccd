using System.Buffers;
using System.Buffers.Text;

namespace Netdump.Protocols.NetConsole;

/// <summary>
/// Writes extended records as the kernel sends them: one datagram of at most 1000 bytes, or pieces that repeat the header with
/// <c>ncfrag=OFFSET/TOTAL</c> (netconsole.md 2.3-2.7). Used again for record after record; allocates only when made.
/// Call <see cref="Begin"/>, then any of the Add methods, then <see cref="TryTake"/> until it says false.
/// </summary>
public sealed class ExtendedRecordWriter
{
    /// <summary>Largest datagram written, in bytes (netconsole's MAX_PRINT_CHUNK).</summary>
    public const int MaximumDatagram = 1000;

    // Text is cut here, so that dictionary and userdata always find room behind it in a body.
    private const int MaximumText = 48 * 1024;
    private readonly byte[] _header = new byte[ExtendedRecord.MaximumHeader];
    private readonly byte[] _body = new byte[ExtendedRecord.MaximumBody];
    private int _headerLength;
    private int _bodyLength;
    private int _sent;
    private bool _started;

    /// <summary>Starts a record: header and text. Text of more than 48 KiB in escaped form is cut.</summary>
    /// <param name="priority">facility * 8 + level.</param>
    /// <param name="sequence">Number of the record in its kernel's log.</param>
    /// <param name="microseconds">printk time.</param>
    /// <param name="text">Raw text without the closing newline; inner newlines are escaped.</param>
    /// <param name="flag">`-`, `c` or `+`.</param>
    /// <param name="release">Release prefix, or empty.</param>
    /// <param name="caller">`T` + pid or `C` + cpu, or empty.</param>
    /// <exception cref="ArgumentException">Release or caller could not be read back.</exception>
    public void Begin(
        int priority, ulong sequence, ulong microseconds, ReadOnlySpan<byte> text,
        byte flag = (byte)'-', ReadOnlySpan<byte> release = default, ReadOnlySpan<byte> caller = default)
    {
        if (release.Length > ExtendedRecord.MaximumRelease || release.IndexOfAny(",;\n"u8) >= 0)
            throw new ArgumentException("Not a kernel release.", nameof(release));
        if (caller.Length > 32 || caller.IndexOfAny(",;\n"u8) >= 0) throw new ArgumentException("Not a caller id.", nameof(caller));
        _headerLength = 0;
        if (!release.IsEmpty) AddHeader(release, (byte)',');
        AddNumber((ulong)priority, (byte)',');
        AddNumber(sequence, (byte)',');
        AddNumber(microseconds, (byte)',');
        _header[_headerLength++] = flag;
        if (!caller.IsEmpty)
        {
            AddHeader(",caller="u8);
            AddHeader(caller);
        }

        _bodyLength = EscapedText.Escape(text, _body.AsSpan(0, MaximumText), out _);
        _body[_bodyLength++] = (byte)'\n';
        _sent = 0;
        _started = true;
    }

    /// <summary>Adds a line of the record's own dictionary (SUBSYSTEM, DEVICE): the value is escaped. False when the body is full.</summary>
    public bool AddDictionary(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        int start = _bodyLength;
        if (!AddKey(key, EscapedText.MaximumEscaped(value.Length))) return false;
        _bodyLength += EscapedText.Escape(value, _body.AsSpan(_bodyLength), out int consumed);
        if (consumed < value.Length)
        {
            _bodyLength = start;
            return false;
        }

        _body[_bodyLength++] = (byte)'\n';
        return true;
    }

    /// <summary>Adds a userdata line: the value goes raw, as the kernel does it. False when the body is full.</summary>
    public bool AddUserData(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (!AddKey(key, value.Length)) return false;
        value.CopyTo(_body.AsSpan(_bodyLength));
        _bodyLength += value.Length;
        _body[_bodyLength++] = (byte)'\n';
        return true;
    }

    /// <summary>Writes the record's next datagram; false when all have been taken.</summary>
    /// <param name="destination">At least <see cref="MaximumDatagram"/> bytes.</param>
    /// <param name="length">Bytes written.</param>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is too short.</exception>
    public bool TryTake(Span<byte> destination, out int length)
    {
        if (destination.Length < MaximumDatagram) throw new ArgumentException("Room for a whole datagram is needed.", nameof(destination));
        length = 0;
        if (!_started) return false;
        _header.AsSpan(0, _headerLength).CopyTo(destination);
        length = _headerLength;
        int slice = _bodyLength - _sent;
        if (_sent > 0 || _headerLength + 1 + _bodyLength > MaximumDatagram)
        {
            ",ncfrag="u8.CopyTo(destination[length..]);
            length += 8;
            length += Put(destination[length..], (ulong)_sent);
            destination[length++] = (byte)'/';
            length += Put(destination[length..], (ulong)_bodyLength);
            slice = Math.Min(slice, MaximumDatagram - 1 - length);
        }

        destination[length++] = (byte)';';
        _body.AsSpan(_sent, slice).CopyTo(destination[length..]);
        length += slice;
        _sent += slice;
        _started = _sent < _bodyLength;
        return true;
    }

    /// <summary>Writes the record as one line with its dictionary lines, as /dev/kmsg gives it, however long it is: for a stream.</summary>
    public void WriteWhole(IBufferWriter<byte> output)
    {
        output.Write(_header.AsSpan(0, _headerLength));
        output.Write(";"u8);
        output.Write(_body.AsSpan(0, _bodyLength));
        _started = false;
    }

    private bool AddKey(ReadOnlySpan<byte> key, int valueLength)
    {
        if (!_started || _bodyLength + key.Length + valueLength + 3 > _body.Length) return false;
        _body[_bodyLength++] = (byte)' ';
        key.CopyTo(_body.AsSpan(_bodyLength));
        _bodyLength += key.Length;
        _body[_bodyLength++] = (byte)'=';
        return true;
    }

    private void AddHeader(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_header.AsSpan(_headerLength));
        _headerLength += bytes.Length;
    }

    private void AddHeader(ReadOnlySpan<byte> bytes, byte separator)
    {
        AddHeader(bytes);
        _header[_headerLength++] = separator;
    }

    private void AddNumber(ulong value, byte separator)
    {
        _headerLength += Put(_header.AsSpan(_headerLength), value);
        _header[_headerLength++] = separator;
    }

    private static int Put(Span<byte> destination, ulong value)
    {
        Utf8Formatter.TryFormat(value, destination, out int written);
        return written;
    }
}
