using System.Buffers.Binary;
using Netdump.Kernel.Types;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Tasks;

/// <summary>A member of a structure whose place was looked up once and is then read for thousands of objects.</summary>
/// <param name="Offset">Bytes from the structure's start; -1 when this kernel has no such member.</param>
/// <param name="Size">Bytes of it; of a bit field those of the bytes that hold it.</param>
/// <param name="Shift">First bit of a bit field.</param>
/// <param name="Bits">Bits of a bit field, 0 for another member.</param>
internal readonly record struct Field(int Offset, int Size, int Shift = 0, int Bits = 0)
{
    private const int Largest = 1 << 20; // no structure of the kernel is larger: more is hostile type information

    public static Field Absent { get; } = new(-1, 0);

    public bool Exists => Offset >= 0;

    /// <summary>Looks a member up by the first of its names that the kernel has.</summary>
    public static Field Of(KernelTypes? types, string structure, params ReadOnlySpan<string> paths)
    {
        if (types is null)
            return Absent;
        var type = types.Find(structure, TypeKind.Struct);
        if (type == 0)
            type = types.Find(structure, TypeKind.Union);
        if (type == 0)
            return Absent;
        foreach (var path in paths)
        {
            if (types.FindMember(type, path) is not { } member || member.BitOffset > Largest * 8UL || member.Size is < 0 or > Largest)
                continue;
            return member.BitSize > 0
                ? new Field((int)(member.BitOffset / 8), (int)((member.BitOffset % 8 + (ulong)member.BitSize + 7) / 8), (int)(member.BitOffset % 8), member.BitSize)
                : new Field((int)(member.BitOffset / 8), member.Size);
        }
        return Absent;
    }

    /// <summary>Where the member of an object lies; 0 when there is none.</summary>
    public ulong At(ulong structure) => Exists && structure != 0 ? unchecked(structure + (ulong)Offset) : 0;

    /// <summary>The value of a whole number, a pointer or an enumeration of 1 to 8 bytes, without a sign; null when it is not there.</summary>
    public ulong? Read(KernelMemory memory, ulong structure)
    {
        if (!Exists || structure == 0 || Size is < 1 or > 8)
            return null;
        Span<byte> bytes = stackalloc byte[8];
        bytes.Clear();
        if (!memory.TryRead(At(structure), bytes[..Size]))
            return null;
        var value = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        return Bits > 0 ? value >> Shift & (Bits >= 64 ? ulong.MaxValue : (1UL << Bits) - 1) : value;
    }

    /// <summary>The value with a sign, by the member's size.</summary>
    public long? ReadSigned(KernelMemory memory, ulong structure) =>
        Read(memory, structure) is not { } value ? null
        : Size switch { 1 => (sbyte)value, 2 => (short)value, 4 => (int)value, _ => unchecked((long)value) };
}
