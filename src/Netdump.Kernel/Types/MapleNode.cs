using System.Buffers.Binary;

namespace Netdump.Kernel.Types;

/// <summary>One node of a maple tree (include/linux/maple_tree.h), its bytes and where in them pivots and slots lie.</summary>
internal readonly struct MapleNode
{
    private const int Dense = 0;
    private const int Leaf = 1;
    private const int Range = 2;
    private const int AllocationRange = 3;

    private readonly byte[] _bytes;
    private readonly int _pivots;
    private readonly int _pivotCount;
    private readonly int _slots;

    private MapleNode(byte[] bytes, bool isLeaf, int pivots, int pivotCount, int slots, int slotCount) =>
        (_bytes, IsLeaf, _pivots, _pivotCount, _slots, Slots) = (bytes, isLeaf, pivots, pivotCount, slots, slotCount);

    /// <summary>Whether the slots hold entries, not nodes.</summary>
    public bool IsLeaf { get; }

    /// <summary>How many slots the node has.</summary>
    public int Slots { get; }

    /// <summary>Lays a node out.</summary>
    /// <returns>Null when the type is not known, or the structure is not described.</returns>
    public static MapleNode? Of(KernelTypes types, byte[] bytes, int type)
    {
        if (type == Dense)
            return types.FindMember(types.Find("maple_node"), "slot") is { } dense && Fits(dense, bytes)
                ? new MapleNode(bytes, true, 0, 0, (int)dense.Offset, dense.Size / 8) : null;
        var id = types.Find(type == AllocationRange ? "maple_arange_64" : "maple_range_64");
        return type is Leaf or Range or AllocationRange && types.FindMember(id, "pivot") is { } pivots && types.FindMember(id, "slot") is { } slots
            && Fits(pivots, bytes) && Fits(slots, bytes)
            ? new MapleNode(bytes, type == Leaf, (int)pivots.Offset, pivots.Size / 8, (int)slots.Offset, slots.Size / 8)
            : null;
    }

    /// <summary>The entry or node in a slot.</summary>
    public ulong Slot(int index) => BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(_slots + index * 8));

    /// <summary>The last index that a slot stands for, whose first is given; <paramref name="last"/> in the node's last used one.</summary>
    public ulong Pivot(int index, ulong first, ulong last)
    {
        if (_pivotCount == 0)
            return first; // a dense node: one index a slot
        if (index >= _pivotCount)
            return last;
        var pivot = BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(_pivots + index * 8));
        return (pivot == 0 && index > 0) || pivot > last ? last : pivot;
    }

    private static bool Fits(Member member, byte[] bytes) => member.Offset + (ulong)member.Size <= (ulong)bytes.Length;
}
