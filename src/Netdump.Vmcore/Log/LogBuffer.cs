using System.Buffers.Binary;
using System.Text;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Log;

/// <summary>
/// The kernel's log before 5.10 (kernel/printk/printk.c, 3.5 to 5.9): records of different length one behind the other in a ring of bytes.
/// A record is a header, its text, its dictionary and padding; a header with length 0 says that the next record is at the ring's start.
/// </summary>
public sealed class LogBuffer : KernelLog
{
    // The kernel takes log_buf_len= up to 2^31.
    private const uint MaximumLength = 1u << 31;
    private const int LargestHeader = 256;

    private readonly MemoryReader _memory;
    private readonly ulong _buffer;
    private readonly uint _length;
    private readonly uint _first;
    private readonly uint _next;
    private readonly int _headerSize;
    private readonly int _time;
    private readonly int _recordLength;
    private readonly int _textLength;
    private readonly int _dictionaryLength;
    private readonly int _caller;

    internal LogBuffer(MemoryReader memory, VmcoreInfo info)
    {
        _memory = memory;
        // struct printk_log was called struct log before 3.11.
        var type = info.Size("printk_log") is not null ? "printk_log" : "log";
        _headerSize = info.Size(type) ?? throw Missing("SIZE(printk_log)");
        if (_headerSize > LargestHeader)
            throw new VmcoreFormatException(-1, $"SIZE({type}) is {_headerSize}, {LargestHeader} at most can be");
        _time = Inside(info, $"{type}.ts_nsec", 8);
        _recordLength = Inside(info, $"{type}.len", 2);
        _textLength = Inside(info, $"{type}.text_len", 2);
        _dictionaryLength = Inside(info, $"{type}.dict_len", 4); // facility and flags follow it in every layout; they are not exported
        _caller = info.Offset($"{type}.caller_id") is null ? -1 : Inside(info, $"{type}.caller_id", 4);

        Span<byte> pointer = stackalloc byte[8];
        Read(info, "log_buf", pointer);
        _buffer = BinaryPrimitives.ReadUInt64LittleEndian(pointer);
        _length = Number(info, "log_buf_len");
        if (_length > MaximumLength || _length < _headerSize)
            throw new VmcoreFormatException(-1, $"the log's log_buf_len is {_length}, {_headerSize} to {MaximumLength} can be");
        _first = Index(info, "log_first_idx");
        _next = Index(info, "log_next_idx");
    }

    /// <summary>Bytes in the ring.</summary>
    public long Capacity => _length;

    /// <inheritdoc/>
    /// <remarks>A record that cannot be where it should ends the log, since nothing says where the next one is: it comes marked as lost.</remarks>
    public override IEnumerable<LogRecord> Records(bool uncommitted = false)
    {
        var header = new byte[_headerSize];
        var left = (long)_length; // records do not overlap, so together they are no larger than the ring
        var hasWrapped = false;
        var sequence = 0UL;
        for (var at = _first; at != _next;)
        {
            var isWhole = at <= _length - (uint)_headerSize && _memory(unchecked(_buffer + at), header) == header.Length;
            var length = isWhole ? BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(_recordLength)) : 0;
            if (isWhole && length == 0 && !hasWrapped)
            {
                (hasWrapped, at) = (true, 0);
                continue;
            }
            if (!isWhole || length < _headerSize || length > _length - at || length > left)
            {
                yield return new LogRecord(sequence, 0, 0, 0, 0, 0, default, null, null) { Damage = RecordDamage.Lost };
                yield break;
            }
            yield return Record(header, at, length, sequence++);
            left -= length;
            at += (uint)length;
        }
    }

    private LogRecord Record(ReadOnlySpan<byte> header, uint at, int length, ulong sequence)
    {
        var room = length - _headerSize;
        int textLength = BinaryPrimitives.ReadUInt16LittleEndian(header[_textLength..]);
        int dictionaryLength = BinaryPrimitives.ReadUInt16LittleEndian(header[_dictionaryLength..]);
        var wanted = Math.Min(textLength, room);
        var bytes = new byte[Math.Min(room, textLength + dictionaryLength)];
        var got = _memory(unchecked(_buffer + at + (ulong)_headerSize), bytes);
        var (subsystem, device) = Dictionary(bytes.AsSpan(0, got)[Math.Min(got, wanted)..]);
        var flags = header[_dictionaryLength + 3];
        return new LogRecord(
            sequence, BinaryPrimitives.ReadUInt64LittleEndian(header[_time..]), header[_dictionaryLength + 2], (byte)(flags >> 5), (byte)(flags & 0x1f),
            _caller < 0 ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(header[_caller..]), bytes.AsMemory(0, Math.Min(got, wanted)), subsystem, device)
        {
            HasBlock = true,
            HasCaller = _caller >= 0,
            Damage = got == 0 && textLength > 0 ? RecordDamage.Lost : Math.Min(got, wanted) < textLength ? RecordDamage.Cut : RecordDamage.None,
        };
    }

    // SUBSYSTEM=pci NUL DEVICE=+pci:0000:00:03.0
    private static (string? Subsystem, string? Device) Dictionary(ReadOnlySpan<byte> bytes)
    {
        (string? subsystem, string? device) = (null, null);
        foreach (var range in bytes.Split((byte)0))
        {
            var entry = bytes[range];
            if (entry.StartsWith("SUBSYSTEM="u8))
                subsystem = Encoding.UTF8.GetString(entry["SUBSYSTEM=".Length..]);
            else if (entry.StartsWith("DEVICE="u8))
                device = Encoding.UTF8.GetString(entry["DEVICE=".Length..]);
        }
        return (subsystem, device);
    }

    private int Inside(VmcoreInfo info, string member, int width)
    {
        var offset = info.Offset(member) ?? throw Missing($"OFFSET({member})");
        return offset <= _headerSize - width
            ? offset
            : throw new VmcoreFormatException(-1, $"OFFSET({member}) {offset} lies outside its structure of {_headerSize} bytes");
    }

    private uint Index(VmcoreInfo info, string symbol)
    {
        var index = Number(info, symbol);
        return index < _length ? index : throw new VmcoreFormatException(-1, $"the log's {symbol} is {index}, below {_length} can be");
    }

    private uint Number(VmcoreInfo info, string symbol)
    {
        Span<byte> bytes = stackalloc byte[4];
        Read(info, symbol, bytes);
        return BinaryPrimitives.ReadUInt32LittleEndian(bytes);
    }

    private void Read(VmcoreInfo info, string symbol, Span<byte> bytes)
    {
        var address = info.Symbol(symbol) ?? throw Missing($"SYMBOL({symbol})");
        if (_memory(address, bytes) != bytes.Length)
            throw new VmcoreFormatException(-1, $"the log's {symbol} at 0x{address:x} is not in the dump");
    }
}
