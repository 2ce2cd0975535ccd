using System.Buffers.Binary;
using System.Text;

namespace Netdump.Vmcore.Tests.Log;

/// <summary>A log buffer as kernels before 5.10 have it, written by a model of that writer.</summary>
internal sealed class SyntheticLogBuffer
{
    public const int Header = 16;
    private const int PointerAt = 0x100;
    private const int LengthAt = 0x108;
    private const int FirstAt = 0x10c;
    private const int NextAt = 0x110;
    private const int BufferAt = 0x1000;

    private readonly int _length;
    private readonly Queue<string> _texts = new();
    private uint _first;
    private uint _next;

    public SyntheticLogBuffer(int length = 512)
    {
        _length = length;
        BinaryPrimitives.WriteUInt64LittleEndian(Memory.AsSpan(PointerAt), BufferAt);
        Put(LengthAt, (uint)length);
    }

    public byte[] Memory { get; } = new byte[0x3000];

    public HashSet<ulong> MissingPages { get; } = [];

    /// <summary>What must still be in the buffer, oldest first.</summary>
    public IReadOnlyCollection<string> Texts => _texts;

    public string Keys { get; set; } =
        "SYMBOL(log_buf)=100\nSYMBOL(log_buf_len)=108\nSYMBOL(log_first_idx)=10c\nSYMBOL(log_next_idx)=110\nSIZE(printk_log)=16\n"
        + "OFFSET(printk_log.ts_nsec)=0\nOFFSET(printk_log.len)=8\nOFFSET(printk_log.text_len)=10\nOFFSET(printk_log.dict_len)=12\n";

    public VmcoreInfo Info => VmcoreInfo.Parse(Encoding.ASCII.GetBytes(Keys));

    public Span<byte> Buffer => Memory.AsSpan(BufferAt, _length);

    public int Read(ulong address, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length && address < (ulong)Memory.Length - (ulong)done && !MissingPages.Contains((address + (ulong)done) >> 12))
            destination[done] = Memory[(int)address + done++];
        return done;
    }

    public void Indexes(uint first, uint next)
    {
        (_first, _next) = (first, next);
        Put(FirstAt, first);
        Put(NextAt, next);
    }

    /// <summary>log_store(): old records make room, a record that does not fit before the end goes to the start behind a mark of length 0.</summary>
    public void Write(ulong nanoseconds, string text, string dictionary = "", byte level = 6)
    {
        var size = (uint)(Header + Encoding.UTF8.GetByteCount(text) + dictionary.Length + 7) & ~7u;
        while (_texts.Count > 0 && !HasSpace(size))
        {
            if (Length(_first) == 0)
                _first = 0;
            _first += Length(_first);
            _texts.Dequeue();
        }
        if (_texts.Count > 0 && Length(_first) == 0)
            _first = 0;
        if (_next + size + Header > _length)
        {
            Buffer.Slice((int)_next, Header).Clear();
            if (_first == _next)
                _first = 0;
            _next = 0;
        }
        Record((int)_next, nanoseconds, text, dictionary, level, (ushort)size);
        _texts.Enqueue(text);
        Indexes(_first, _next + size);
    }

    public void Record(int at, ulong nanoseconds, string text, string dictionary, byte level, ushort length)
    {
        var record = Buffer[at..];
        BinaryPrimitives.WriteUInt64LittleEndian(record, nanoseconds);
        BinaryPrimitives.WriteUInt16LittleEndian(record[8..], length);
        BinaryPrimitives.WriteUInt16LittleEndian(record[10..], (ushort)Encoding.UTF8.GetByteCount(text));
        BinaryPrimitives.WriteUInt16LittleEndian(record[12..], (ushort)dictionary.Length);
        record[14] = 0;
        record[15] = (byte)(level << 5 | 2);
        var written = Encoding.UTF8.GetBytes(text, record[Header..]);
        Encoding.ASCII.GetBytes(dictionary, record[(Header + written)..]);
    }

    private bool HasSpace(uint size)
    {
        var free = _next > _first ? Math.Max((uint)_length - _next, _first) : _first - _next;
        return free >= size + Header;
    }

    private uint Length(uint at) => BinaryPrimitives.ReadUInt16LittleEndian(Buffer[((int)at + 8)..]);

    private void Put(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Memory.AsSpan(at), value);
}
