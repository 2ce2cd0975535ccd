using System.Buffers.Binary;
using System.Text;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Log;

/// <summary>The kernel's lockless log ring (kernel/printk/printk_ringbuffer.c): a ring of descriptors, one of infos, and one of text blocks.</summary>
public sealed class LogRing : KernelLog
{
    // The kernel allows a text ring of 2^31 bytes, and gives it a descriptor for each 32 bytes: rings beyond 2^24 records were never seen.
    private const int MaximumCountBits = 24;
    private const int MaximumSizeBits = 31;
    private const int Batch = 128;
    private const ulong SmallestPage = 4096;
    private const int BlockHeader = 8;
    private const ulong IdMask = (1UL << 62) - 1; // the top two bits of a descriptor's word are its state
    private const ulong Reserved = 0;
    private const ulong Reusable = 3;
    private const ulong LposWithoutData = 3; // begin = next = 3: a record whose text is empty

    private readonly MemoryReader _memory;
    private readonly LogRingLayout _layout;
    private readonly ulong _descriptors;
    private readonly ulong _infos;
    private readonly ulong _data;
    private readonly int _countBits;
    private readonly int _sizeBits;
    private readonly ulong _tail;
    private readonly ulong _head;

    internal LogRing(MemoryReader memory, VmcoreInfo info)
    {
        _memory = memory;
        _layout = new LogRingLayout(info);
        var ring = Word(info.Symbol("prb") ?? throw Missing("SYMBOL(prb)"), "prb");
        var descriptorRing = unchecked(ring + (ulong)_layout.DescriptorRing);
        var textRing = unchecked(ring + (ulong)_layout.TextRing);
        _countBits = Bits(unchecked(descriptorRing + (ulong)_layout.CountBits), MaximumCountBits, "count_bits");
        _sizeBits = Bits(unchecked(textRing + (ulong)_layout.SizeBits), MaximumSizeBits, "size_bits");
        _descriptors = Word(unchecked(descriptorRing + (ulong)_layout.Descriptors), "descs");
        _infos = Word(unchecked(descriptorRing + (ulong)_layout.Infos), "infos");
        _head = Word(unchecked(descriptorRing + (ulong)_layout.Head), "head_id") & IdMask;
        _tail = Word(unchecked(descriptorRing + (ulong)_layout.Tail), "tail_id") & IdMask;
        _data = Word(unchecked(textRing + (ulong)_layout.Data), "data");
    }

    /// <summary>Descriptors in the ring: the most records it can hold.</summary>
    public int Capacity => 1 << _countBits;

    /// <summary>Bytes in the ring of text.</summary>
    public long TextCapacity => 1L << _sizeBits;

    /// <inheritdoc/>
    /// <remarks>Records whose descriptors or infos lie in pages that are not in the dump are not known, and do not come.</remarks>
    public override IEnumerable<LogRecord> Records(bool uncommitted = false)
    {
        // Ids wrap at 2^62; a sound ring holds at most Capacity of them.
        var total = (int)Math.Min(((_head - _tail) & IdMask) + 1, (ulong)Capacity);
        var descriptors = new byte[Batch * _layout.DescriptorSize];
        var infos = new byte[Batch * _layout.InfoSize];
        var textLeft = TextCapacity; // blocks do not overlap, so together they are no larger than the ring
        for (var done = 0; done < total;)
        {
            var id = unchecked(_tail + (ulong)done) & IdMask;
            var slot = id & ((ulong)Capacity - 1);
            var count = (int)Math.Min((ulong)Math.Min(Batch, total - done), (ulong)Capacity - slot);
            var (readable, hidden) = ReadArray(_descriptors, slot, count, _layout.DescriptorSize, descriptors);
            var (readableInfos, hiddenInfos) = ReadArray(_infos, slot, count, _layout.InfoSize, infos);
            if (readableInfos < readable)
                (readable, hidden) = (readableInfos, hiddenInfos);
            for (var i = 0; i < readable; i++)
            {
                var found = TryRecord(
                    (id + (ulong)i) & IdMask, descriptors.AsSpan(i * _layout.DescriptorSize, _layout.DescriptorSize),
                    infos.AsSpan(i * _layout.InfoSize, _layout.InfoSize), uncommitted, out var record);
                if (!found)
                    continue;
                textLeft -= record.Text.Length;
                if (textLeft < 0)
                    yield break;
                yield return record;
            }
            done += Math.Min(readable + hidden, total - done);
        }
    }

    // A page that is not in the dump hides the entries that touch it, not those behind it.
    private (int Readable, int Hidden) ReadArray(ulong array, ulong index, int count, int size, byte[] buffer)
    {
        var start = unchecked(array + index * (ulong)size);
        var got = _memory(start, buffer.AsSpan(0, count * size));
        if (got == count * size)
            return (count, 0);
        var endOfPage = (int)(SmallestPage - unchecked(start + (ulong)got) % SmallestPage);
        return (got / size, Math.Min((got + endOfPage + size - 1) / size, count) - got / size);
    }

    private bool TryRecord(ulong id, ReadOnlySpan<byte> descriptor, ReadOnlySpan<byte> info, bool uncommitted, out LogRecord record)
    {
        record = default;
        var state = BinaryPrimitives.ReadUInt64LittleEndian(descriptor[_layout.State..]);
        if ((state & IdMask) != id)
            return false; // the descriptor serves another record by now
        var isReserved = state >> 62 == Reserved;
        if (state >> 62 == Reusable || (isReserved && !uncommitted))
            return false; // committed and finalized ones are complete
        var begin = BinaryPrimitives.ReadUInt64LittleEndian(descriptor[_layout.Begin..]);
        var next = BinaryPrimitives.ReadUInt64LittleEndian(descriptor[_layout.Next..]);
        int length = BinaryPrimitives.ReadUInt16LittleEndian(info[_layout.TextLength..]);
        var damage = Text(id, begin, next, isReserved ? ushort.MaxValue : length, out var text);
        if (isReserved)
        {
            // The length is the last that is written: the text ends where the writer stopped, or at the block's end.
            var end = text.Span.IndexOf((byte)0);
            text = end < 0 ? text : text[..end];
            damage = RecordDamage.Uncommitted;
        }

        // facility and flags/level follow text_len in every layout; they are not exported.
        var facility = info[_layout.TextLength + 2];
        var flags = info[_layout.TextLength + 3];
        record = new LogRecord(
            BinaryPrimitives.ReadUInt64LittleEndian(info[_layout.Sequence..]),
            BinaryPrimitives.ReadUInt64LittleEndian(info[_layout.Time..]),
            facility, (byte)(flags >> 5), (byte)(flags & 0x1f),
            _layout.Caller < 0 ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(info[_layout.Caller..]), text,
            Name(info, _layout.Subsystem, _layout.SubsystemLength), Name(info, _layout.Device, _layout.DeviceLength))
        {
            Damage = damage,
            HasBlock = begin != next,
            HasCaller = _layout.Caller >= 0,
        };
        return true;
    }

    private RecordDamage Text(ulong id, ulong begin, ulong next, int length, out ReadOnlyMemory<byte> text)
    {
        text = default;
        if ((begin & 1) != 0 || (next & 1) != 0)
            return begin == LposWithoutData && next == LposWithoutData ? RecordDamage.None : RecordDamage.Lost;

        // Positions run on for ever; a block that does not fit before the ring's end lies at its start. Whether it was moved there is told by
        // the position of its last byte: newer kernels let a block end exactly at the ring's end, older ones move that too.
        var mask = (1UL << _sizeBits) - 1;
        var wrapped = begin >> _sizeBits != unchecked(next - 1) >> _sizeBits;
        var start = wrapped ? 0 : begin & mask;
        var room = wrapped ? next & mask : unchecked(next - begin);
        if (room < BlockHeader || room > mask + 1 - start)
            return RecordDamage.Lost;
        Span<byte> header = stackalloc byte[BlockHeader];
        var at = unchecked(_data + start);
        if (_memory(at, header) != BlockHeader || (BinaryPrimitives.ReadUInt64LittleEndian(header) & IdMask) != id)
            return RecordDamage.Lost; // not this record's block
        var bytes = new byte[(int)Math.Min((ulong)length, room - BlockHeader)];
        var got = _memory(unchecked(at + BlockHeader), bytes);
        text = bytes.AsMemory(0, got);
        return got == length ? RecordDamage.None : got == 0 ? RecordDamage.Lost : RecordDamage.Cut;
    }

    private static string? Name(ReadOnlySpan<byte> info, int offset, int length)
    {
        if (offset < 0)
            return null;
        var bytes = info.Slice(offset, length);
        var end = bytes.IndexOf((byte)0);
        if (end >= 0)
            bytes = bytes[..end];
        return bytes.IsEmpty ? null : Encoding.UTF8.GetString(bytes);
    }

    private ulong Word(ulong address, string field)
    {
        Span<byte> bytes = stackalloc byte[8];
        return _memory(address, bytes) == bytes.Length ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : throw NotInDump(address, field);
    }

    private int Bits(ulong address, int maximum, string field)
    {
        Span<byte> bytes = stackalloc byte[4];
        if (_memory(address, bytes) != bytes.Length)
            throw NotInDump(address, field);
        var bits = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        return bits >= 1 && bits <= maximum
            ? (int)bits
            : throw new VmcoreFormatException(-1, $"the log ring's {field} is {bits}, 1 to {maximum} can be");
    }

    private static VmcoreFormatException NotInDump(ulong address, string field) =>
        new(-1, $"the log ring's {field} at 0x{address:x} is not in the dump");
}
