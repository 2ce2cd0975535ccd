using System.Buffers.Binary;

namespace Netdump.Vmcore;

/// <summary>Integers at offsets of a structure, in the byte order of the machine that wrote it.</summary>
internal readonly ref struct FieldReader(ReadOnlySpan<byte> bytes, bool isBigEndian)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public ushort U16(int at) => isBigEndian
        ? BinaryPrimitives.ReadUInt16BigEndian(_bytes[at..])
        : BinaryPrimitives.ReadUInt16LittleEndian(_bytes[at..]);

    public uint U32(int at) => isBigEndian
        ? BinaryPrimitives.ReadUInt32BigEndian(_bytes[at..])
        : BinaryPrimitives.ReadUInt32LittleEndian(_bytes[at..]);

    public ulong U64(int at) => isBigEndian
        ? BinaryPrimitives.ReadUInt64BigEndian(_bytes[at..])
        : BinaryPrimitives.ReadUInt64LittleEndian(_bytes[at..]);

    /// <summary>A long of the machine: 8 bytes or 4.</summary>
    public ulong Word(int at, bool is64) => is64 ? U64(at) : U32(at);
}
