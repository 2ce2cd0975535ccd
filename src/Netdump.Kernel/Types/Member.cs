namespace Netdump.Kernel.Types;

/// <summary>Where a member lies in its structure, as a path found it.</summary>
/// <param name="BitOffset">Bits from the structure's start.</param>
/// <param name="BitSize">Bits of a bitfield; 0 when the member is none.</param>
/// <param name="TypeId">Its type.</param>
/// <param name="Size">Bytes of its type; 0 when the type does not tell (a flexible array).</param>
public readonly record struct Member(ulong BitOffset, int BitSize, int TypeId, int Size)
{
    /// <summary>Bytes from the structure's start.</summary>
    public ulong Offset => BitOffset / 8;
}
