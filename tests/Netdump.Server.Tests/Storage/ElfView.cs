using System.Buffers.Binary;

namespace Netdump.Server.Tests.Storage;

/// <summary>Reads ELF fields of either class and byte order, to check what the writer made.</summary>
internal sealed class ElfView(byte[] bytes)
{
    public byte[] Bytes => bytes;

    public bool Wide => bytes[4] == 2;

    private bool Big => bytes[5] == 2;

    public uint Half(int at) =>
        Big ? BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at)) : BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at));

    public uint UInt(int at) =>
        Big ? BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at)) : BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));

    public ulong Word(int at)
    {
        if (!Wide)
            return UInt(at);
        return Big ? BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(at)) : BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
    }

    public Segment ProgramHeader(int index)
    {
        if (!Wide)
        {
            int narrow = 52 + index * 32;
            return new Segment(
                UInt(narrow), UInt(narrow + 24), Word(narrow + 4), Word(narrow + 8), Word(narrow + 12), Word(narrow + 16), Word(narrow + 20), Word(narrow + 28));
        }

        int at = 64 + index * 56;
        return new Segment(UInt(at), UInt(at + 4), Word(at + 8), Word(at + 16), Word(at + 24), Word(at + 32), Word(at + 40), Word(at + 48));
    }

    public readonly record struct Segment(
        uint Type, uint Flags, ulong Offset, ulong Virtual, ulong Physical, ulong FileSize, ulong MemorySize, ulong Alignment);
}
