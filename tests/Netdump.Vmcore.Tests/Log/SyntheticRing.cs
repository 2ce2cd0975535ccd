using System.Buffers.Binary;
using System.Text;

namespace Netdump.Vmcore.Tests.Log;

/// <summary>A log ring in memory, laid out as 7.3 does, written record by record or by a model of the kernel's writer.</summary>
internal sealed class SyntheticRing
{
    public const ulong IdMask = (1UL << 62) - 1;
    private const ulong Pointer = 0x1000;
    private const ulong Ring = 0x2000;
    private const ulong DescriptorsAt = 0x10000;
    private const ulong InfosAt = 0x20000;
    private const ulong DataAt = 0x40000;
    private const int DescriptorSize = 24;
    private const int InfoSize = 112;

    private readonly byte[] _memory = new byte[0x80000];
    private readonly int _countBits;
    private readonly int _sizeBits;
    private readonly bool _mayEndAtEnd;
    private ulong _position;
    private ulong _dataTail;
    private readonly Dictionary<ulong, (ulong Begin, ulong Next)> _blocks = [];

    /// <summary>An empty ring, as the kernel begins it.</summary>
    /// <param name="countBits">Descriptors, power of two.</param>
    /// <param name="sizeBits">Bytes of text, power of two.</param>
    /// <param name="firstId">Id of the first record.</param>
    /// <param name="mayEndAtEnd">Whether a block may end exactly at the ring's end (7.3) or is moved to its start then (6.12).</param>
    public SyntheticRing(int countBits = 3, int sizeBits = 8, ulong firstId = 0x3fffffffffffffff, bool mayEndAtEnd = true)
    {
        _countBits = countBits;
        _sizeBits = sizeBits;
        _mayEndAtEnd = mayEndAtEnd;
        _position = _dataTail = unchecked(0UL - (1UL << sizeBits));
        Head = Tail = firstId;
        Put(Pointer, Ring);
        Put32(Ring + 0, (uint)countBits);
        Put(Ring + 8, DescriptorsAt);
        Put(Ring + 16, InfosAt);
        Put32(Ring + 48, (uint)sizeBits);
        Put(Ring + 56, DataAt);
        Ids(firstId, firstId);
        Descriptor(firstId, 3, 1, 1);
    }

    public ulong Head { get; private set; }

    public ulong Tail { get; private set; }

    public HashSet<ulong> MissingPages { get; } = [];

    public string Keys { get; set; } =
        "SYMBOL(prb)=1000\nOFFSET(printk_ringbuffer.desc_ring)=0\nOFFSET(printk_ringbuffer.text_data_ring)=48\n"
        + "OFFSET(prb_desc_ring.count_bits)=0\nOFFSET(prb_desc_ring.descs)=8\nOFFSET(prb_desc_ring.infos)=16\n"
        + "OFFSET(prb_desc_ring.head_id)=24\nOFFSET(prb_desc_ring.tail_id)=32\nSIZE(prb_desc)=24\nOFFSET(prb_desc.state_var)=0\n"
        + "OFFSET(prb_desc.text_blk_lpos)=8\nOFFSET(prb_data_blk_lpos.begin)=0\nOFFSET(prb_data_blk_lpos.next)=8\n"
        + "SIZE(printk_info)=112\nOFFSET(printk_info.seq)=0\nOFFSET(printk_info.ts_nsec)=8\nOFFSET(printk_info.text_len)=16\n"
        + "OFFSET(printk_info.caller_id)=20\nOFFSET(printk_info.dev_info)=44\nOFFSET(dev_printk_info.subsystem)=0\n"
        + "LENGTH(printk_info_subsystem)=16\nOFFSET(dev_printk_info.device)=16\nLENGTH(printk_info_device)=48\n"
        + "OFFSET(prb_data_ring.size_bits)=0\nOFFSET(prb_data_ring.data)=8\nOFFSET(atomic_long_t.counter)=0\n";

    public VmcoreInfo Info => VmcoreInfo.Parse(Encoding.ASCII.GetBytes(Keys));

    public byte[] Memory => _memory;

    public static ulong RingAddress => Ring;

    public static ulong DataAddress => DataAt;

    public static ulong InfosAddress => InfosAt;

    public int Read(ulong address, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length && address < (ulong)_memory.Length - (ulong)done && !MissingPages.Contains((address + (ulong)done) >> 12))
            destination[done] = _memory[(int)address + done++];
        return done;
    }

    public void Ids(ulong tail, ulong head)
    {
        (Tail, Head) = (tail, head);
        Put(Ring + 24, head);
        Put(Ring + 32, tail);
    }

    public void Descriptor(ulong id, ulong state, ulong begin, ulong next)
    {
        var at = DescriptorsAt + (id & ((1UL << _countBits) - 1)) * DescriptorSize;
        Put(at, (id & IdMask) | (state << 62));
        Put(at + 8, begin);
        Put(at + 16, next);
    }

    public void Information(ulong id, ulong sequence, int length, byte flags = 0, uint caller = 0, string subsystem = "", string device = "")
    {
        var at = InfosAt + (id & ((1UL << _countBits) - 1)) * InfoSize;
        _memory.AsSpan((int)at, InfoSize).Clear();
        Put(at, sequence);
        Put(at + 8, sequence * 1000);
        BinaryPrimitives.WriteUInt16LittleEndian(_memory.AsSpan((int)at + 16), (ushort)length);
        _memory[at + 19] = flags;
        Put32(at + 20, caller);
        Encoding.ASCII.GetBytes(subsystem, _memory.AsSpan((int)at + 44));
        Encoding.ASCII.GetBytes(device, _memory.AsSpan((int)at + 60));
    }

    public void Block(ulong offset, ulong id, ReadOnlySpan<byte> text)
    {
        Put(DataAt + offset, id);
        text.CopyTo(_memory.AsSpan((int)(DataAt + offset) + 8));
    }

    /// <summary>Writes a record as the kernel does: oldest descriptors and blocks make room.</summary>
    public void Write(ulong sequence, string text)
    {
        var id = unchecked(Head + 1) & IdMask;
        if (unchecked(id - Tail & IdMask) >> _countBits != 0)
        {
            Release(Tail);
            Tail = unchecked(Tail + 1) & IdMask;
        }
        var bytes = Encoding.UTF8.GetBytes(text);
        if (bytes.Length == 0)
        {
            Descriptor(id, 2, 3, 3);
        }
        else
        {
            var size = 1UL << _sizeBits;
            var begin = _position;
            var length = (ulong)(8 + bytes.Length + 7) & ~7UL;
            var next = unchecked(begin + length);
            var last = _mayEndAtEnd ? unchecked(next - 1) : next;
            var wraps = begin >> _sizeBits != last >> _sizeBits;
            if (wraps)
                next = unchecked((last >> _sizeBits << _sizeBits) + length);
            while (unchecked(next - _dataTail) > size)
                ReleaseOldestBlock();
            Block(wraps ? 0 : begin & (size - 1), id, bytes);
            Descriptor(id, 2, begin, next);
            _blocks[id] = (begin, next);
            _position = next;
        }
        Information(id, sequence, bytes.Length);
        Ids(Tail, id);
    }

    private void ReleaseOldestBlock()
    {
        foreach (var (id, block) in _blocks)
        {
            if (block.Begin != _dataTail)
                continue;
            Descriptor(id, 3, block.Begin, block.Next);
            Release(id);
            return;
        }
        throw new InvalidOperationException("no block begins at the tail");
    }

    private void Release(ulong id)
    {
        if (_blocks.Remove(id, out var block) && block.Begin == _dataTail)
            _dataTail = block.Next;
    }

    private void Put(ulong at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_memory.AsSpan((int)at), value);

    private void Put32(ulong at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_memory.AsSpan((int)at), value);
}
