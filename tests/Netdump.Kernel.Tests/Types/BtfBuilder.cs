using System.Buffers.Binary;
using System.Text;

namespace Netdump.Kernel.Tests.Types;

/// <summary>Makes BTF blobs, sound ones and others.</summary>
internal sealed class BtfBuilder(int firstId = 1, int firstString = 0)
{
    private readonly List<byte> _types = [];
    private readonly List<byte> _strings = firstString == 0 ? [0] : [];
    private int _next = firstId;

    public int Integer(string name, int size, bool signed = false, int bits = 0, bool boolean = false) =>
        Add(name, 1, false, 0, (uint)size, (uint)((signed ? 1 << 24 : 0) | (boolean ? 4 << 24 : 0) | (bits == 0 ? size * 8 : bits)));

    public int Pointer(int target) => Add("", 2, false, 0, (uint)target);

    public int Array(int element, uint length) => Add("", 3, false, 0, 0, (uint)element, (uint)element, length);

    public int Structure(string name, int size, params ReadOnlySpan<(string Name, int Type, int Bits)> members) => Compound(name, 4, size, members);

    public int Union(string name, int size, params ReadOnlySpan<(string Name, int Type, int Bits)> members) => Compound(name, 5, size, members);

    /// <summary>A structure whose members say how many bits they have, 0 for all that are no bitfields.</summary>
    public int Bitfields(string name, int size, params ReadOnlySpan<(string Name, int Type, int Offset, int Bits)> members)
    {
        var words = new List<uint>();
        foreach (var member in members)
            words.AddRange(String(member.Name), (uint)member.Type, (uint)(member.Offset | (member.Bits << 24)));
        return Add(name, 4, true, members.Length, (uint)size, [.. words]);
    }

    public int Enumeration(string name, bool signed, params ReadOnlySpan<(string Name, int Value)> values)
    {
        var words = new List<uint>();
        foreach (var value in values)
            words.AddRange(String(value.Name), unchecked((uint)value.Value));
        return Add(name, 6, signed, values.Length, 4, [.. words]);
    }

    public int LongEnumeration(string name, params ReadOnlySpan<(string Name, ulong Value)> values)
    {
        var words = new List<uint>();
        foreach (var value in values)
            words.AddRange(String(value.Name), (uint)value.Value, (uint)(value.Value >> 32));
        return Add(name, 19, false, values.Length, 8, [.. words]);
    }

    public int Typedef(string name, int target) => Add(name, 8, false, 0, (uint)target);

    public int Const(int target) => Add("", 10, false, 0, (uint)target);

    public int Variable(string name, int type) => Add(name, 14, false, 0, (uint)type, 1);

    /// <summary>Any type at all.</summary>
    public int Add(string name, int kind, bool flag, int count, uint sizeOrType, params ReadOnlySpan<uint> words)
    {
        Word(String(name));
        Word((uint)((flag ? 1u << 31 : 0) | ((uint)kind << 24) | ((uint)count & 0xffff)));
        Word(sizeOrType);
        foreach (var word in words)
            Word(word);
        return _next++;
    }

    public byte[] Build()
    {
        var blob = new byte[24 + _types.Count + _strings.Count];
        BinaryPrimitives.WriteUInt16LittleEndian(blob, 0xeb9f);
        blob[2] = 1;
        foreach (var (at, value) in ((int, int)[])[(4, 24), (8, 0), (12, _types.Count), (16, _types.Count), (20, _strings.Count)])
            BinaryPrimitives.WriteInt32LittleEndian(blob.AsSpan(at), value);
        _types.CopyTo(blob, 24);
        _strings.CopyTo(blob, 24 + _types.Count);
        return blob;
    }

    private int Compound(string name, int kind, int size, ReadOnlySpan<(string Name, int Type, int Bits)> members)
    {
        var words = new List<uint>();
        foreach (var member in members)
            words.AddRange(String(member.Name), (uint)member.Type, (uint)member.Bits);
        return Add(name, kind, false, members.Length, (uint)size, [.. words]);
    }

    private uint String(string text)
    {
        if (text.Length == 0)
            return 0;
        var at = (uint)(firstString + _strings.Count);
        _strings.AddRange(Encoding.UTF8.GetBytes(text));
        _strings.Add(0);
        return at;
    }

    private void Word(uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        _types.AddRange(bytes.ToArray());
    }
}
