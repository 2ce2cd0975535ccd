using System.Buffers.Binary;

namespace Netdump.Vmcore;

/// <summary>Integers at offsets of a structure, in the byte order of the machine whose dump is written.</summary>
internal readonly ref struct FieldWriter(Span<byte> bytes, bool isBigEndian)
{
    private readonly Span<byte> _bytes = bytes;

    public void U16(int at, ushort value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes[at..], isBigEndian ? BinaryPrimitives.ReverseEndianness(value) : value);

    public void U32(int at, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes[at..], isBigEndian ? BinaryPrimitives.ReverseEndianness(value) : value);

    public void U64(int at, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes[at..], isBigEndian ? BinaryPrimitives.ReverseEndianness(value) : value);

    /// <summary>A long of the machine: 8 bytes or the lower 4.</summary>
    public void Word(int at, bool is64, ulong value)
    {
        if (is64)
            U64(at, value);
        else
            U32(at, (uint)value);
    }
}
