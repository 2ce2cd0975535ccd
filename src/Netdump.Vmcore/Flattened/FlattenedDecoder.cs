using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Netdump.Vmcore.Flattened;

/// <summary>
/// Turns an upload into pieces of a dump as its bytes come, in portions of any size: a flattened stream is put in order, any other format goes
/// through as it is. Pure, and small enough to be kept in a journal (<see cref="Save"/>), so that another process goes on in the middle of a
/// record. A value: a copy of it tries bytes out.
/// </summary>
public unsafe struct FlattenedDecoder
{
    /// <summary>Bytes of <see cref="Save"/>.</summary>
    public const int StateLength = 56;

    private const int ScratchLength = 16;

    private Phase _phase;
    private byte _held; // bytes in the scratch
    private fixed byte _scratch[ScratchLength];
    private long _received;
    private long _end;
    private long _offset; // of the record: where its next byte goes
    private long _left;   // bytes of the record to come

    /// <summary>What comes next.</summary>
    private enum Phase : byte
    {
        /// <summary>The first bytes, which tell the format.</summary>
        Signature,

        /// <summary>Type and version of a flattened stream.</summary>
        Version,

        /// <summary>The rest of the header of 4096 bytes, which means nothing.</summary>
        Header,

        /// <summary>The header of a record.</summary>
        Record,

        /// <summary>Bytes of a record.</summary>
        Bytes,

        /// <summary>Anything: the end mark came.</summary>
        Ended,

        /// <summary>Bytes of another format.</summary>
        Plain,
    }

    /// <summary>Bytes of the upload taken.</summary>
    public readonly long Received => _received;

    /// <summary>Length of the dump so far: the highest end of what was given out.</summary>
    public readonly long Length => _end;

    /// <summary>Whether the upload is a flattened stream; false also while that is not known.</summary>
    public readonly bool IsFlattened => _phase is not (Phase.Signature or Phase.Plain);

    /// <summary>Whether nothing is missing at this point: a flattened stream has its end mark. Of other formats nobody knows.</summary>
    public readonly bool IsWhole => _phase is Phase.Ended or Phase.Plain or Phase.Signature;

    /// <summary>Takes bytes up to the next piece of the dump.</summary>
    /// <param name="input">Bytes of the upload; what was taken is cut off.</param>
    /// <param name="limit">Where the dump ends at the latest: a record beyond is refused before anything of it is given out.</param>
    /// <param name="offset">Where the piece belongs.</param>
    /// <param name="piece">Its bytes, within the input, or the first bytes of an upload, which were held: valid until the next call.</param>
    /// <returns>False when the input is used up and holds no further piece.</returns>
    /// <exception cref="VmcoreFormatException">A flattened stream of another version, or a record that cannot be. The state is of no use then.</exception>
    public bool TryNext(ref ReadOnlySpan<byte> input, long limit, out long offset, out ReadOnlySpan<byte> piece)
    {
        piece = default;
        offset = 0;
        while (!input.IsEmpty)
        {
            switch (_phase)
            {
                case Phase.Signature:
                    if (ReadSignature(ref input, out piece))
                        return Give(piece, limit, out offset);
                    break;
                case Phase.Version when Fill(ref input):
                    ReadVersion();
                    break;
                case Phase.Header:
                    Skip(ref input, FlattenedFormat.FileHeaderLength - _received);
                    if (_received == FlattenedFormat.FileHeaderLength)
                        _phase = Phase.Record;
                    break;
                case Phase.Record when Fill(ref input):
                    ReadRecord(limit);
                    break;
                case Phase.Bytes:
                    piece = Take(ref input, _left);
                    offset = _offset;
                    (_offset, _left) = (_offset + piece.Length, _left - piece.Length);
                    _end = Math.Max(_end, _offset);
                    if (_left == 0)
                        _phase = Phase.Record;
                    return true;
                case Phase.Ended:
                    Skip(ref input, input.Length);
                    break;
                case Phase.Plain:
                    piece = Take(ref input, input.Length);
                    return Give(piece, limit, out offset);
            }
        }

        return false;
    }

    /// <summary>No more bytes come: an upload shorter than a signature is told apart only now.</summary>
    /// <param name="piece">Its bytes, which belong at offset 0; empty else. Valid while this decoder is.</param>
    public void Finish(out ReadOnlySpan<byte> piece)
    {
        piece = default;
        if (_phase != Phase.Signature)
            return;
        piece = Scratch[.._held];
        _phase = Phase.Plain;
        _end = _held;
        _held = 0;
    }

    /// <summary>Writes the state.</summary>
    /// <param name="state"><see cref="StateLength"/> bytes.</param>
    public readonly void Save(Span<byte> state)
    {
        state[..StateLength].Clear();
        state[0] = (byte)_phase;
        state[1] = _held;
        for (int i = 0; i < ScratchLength; i++)
            state[8 + i] = _scratch[i];
        BinaryPrimitives.WriteInt64LittleEndian(state[24..], _received);
        BinaryPrimitives.WriteInt64LittleEndian(state[32..], _end);
        BinaryPrimitives.WriteInt64LittleEndian(state[40..], _offset);
        BinaryPrimitives.WriteInt64LittleEndian(state[48..], _left);
    }

    /// <summary>Reads a state that <see cref="Save"/> wrote.</summary>
    /// <param name="state"><see cref="StateLength"/> bytes.</param>
    /// <param name="decoder">The decoder in that state.</param>
    /// <returns>False for bytes that are no state.</returns>
    public static bool TryLoad(ReadOnlySpan<byte> state, out FlattenedDecoder decoder)
    {
        decoder = default;
        if (state.Length < StateLength || state[0] > (byte)Phase.Plain || state[1] >= ScratchLength)
            return false;
        decoder._phase = (Phase)state[0];
        decoder._held = state[1];
        for (int i = 0; i < ScratchLength; i++)
            decoder._scratch[i] = state[8 + i];
        decoder._received = BinaryPrimitives.ReadInt64LittleEndian(state[24..]);
        decoder._end = BinaryPrimitives.ReadInt64LittleEndian(state[32..]);
        decoder._offset = BinaryPrimitives.ReadInt64LittleEndian(state[40..]);
        decoder._left = BinaryPrimitives.ReadInt64LittleEndian(state[48..]);
        return decoder._received >= 0 && decoder._end is >= 0 and <= FlattenedFormat.LongestDump && decoder._offset is >= 0 and <= FlattenedFormat.LongestDump
            && decoder._left >= 0 && decoder._left <= FlattenedFormat.LongestDump - decoder._offset && (decoder._left > 0 || decoder._phase != Phase.Bytes)
            && (decoder._phase != Phase.Header || decoder._received is >= 32 and < FlattenedFormat.FileHeaderLength);
    }

    private Span<byte> Scratch => MemoryMarshal.CreateSpan(ref _scratch[0], ScratchLength);

    // True when the first bytes are of another format: they are the first piece.
    private bool ReadSignature(ref ReadOnlySpan<byte> input, out ReadOnlySpan<byte> piece)
    {
        piece = default;
        ReadOnlySpan<byte> signature = FlattenedFormat.Signature;
        if (_held == 0 && input.CommonPrefixLength(signature) is var same && same < Math.Min(input.Length, ScratchLength))
        {
            _phase = Phase.Plain;
            piece = Take(ref input, input.Length);
            return true;
        }

        if (!Fill(ref input) && signature.StartsWith(Scratch[.._held]))
            return false;
        if (_held == 0 && signature.SequenceEqual(Scratch))
        {
            _phase = Phase.Version;
            return false;
        }

        _phase = Phase.Plain;
        piece = Scratch[..(_held == 0 ? ScratchLength : _held)];
        _held = 0;
        return true;
    }

    private void ReadVersion()
    {
        long type = BinaryPrimitives.ReadInt64BigEndian(Scratch);
        long version = BinaryPrimitives.ReadInt64BigEndian(Scratch[8..]);
        if (type != 1)
            throw new VmcoreFormatException(16, $"flattened dump of type {type}, 1 is known");
        if (version != 1)
            throw new VmcoreFormatException(24, $"flattened dump of version {version}, 1 is known");
        _phase = Phase.Header;
    }

    private void ReadRecord(long limit)
    {
        long at = _received - ScratchLength;
        if (!FlattenedFormat.ReadRecord(Scratch, at, out _offset, out _left))
        {
            (_offset, _left) = (0, 0);
            _phase = Phase.Ended;
            return;
        }

        if (_offset > limit || _left > limit - _offset)
            throw new VmcoreFormatException(at, $"flattened record of {_left} bytes at dump offset 0x{_offset:x}, {limit} bytes are allowed");
        _phase = Phase.Bytes;
    }

    private bool Give(ReadOnlySpan<byte> piece, long limit, out long offset)
    {
        offset = _end;
        if (piece.Length > limit - _end)
            throw new VmcoreFormatException(_end, $"a dump of more than {limit} bytes");
        _end += piece.Length;
        return true;
    }

    // True when the scratch is full; it counts as empty then.
    private bool Fill(ref ReadOnlySpan<byte> input)
    {
        ReadOnlySpan<byte> part = Take(ref input, ScratchLength - _held);
        part.CopyTo(Scratch[_held..]);
        _held = (byte)((_held + part.Length) % ScratchLength);
        return _held == 0;
    }

    private void Skip(ref ReadOnlySpan<byte> input, long most) => Take(ref input, most);

    private ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> input, long most)
    {
        ReadOnlySpan<byte> part = input[..(int)Math.Min(most, input.Length)];
        input = input[part.Length..];
        _received += part.Length;
        return part;
    }
}
