using System.Buffers.Binary;

namespace Netdump.Kernel.Types;

/// <content>XArrays (radix trees, IDRs) and maple trees.</content>
public sealed partial class KernelTypes
{
    // Pointers with these low bits are nodes, or small numbers with a meaning of their own (include/linux/xarray.h).
    private const ulong InternalBits = 3;
    private const ulong InternalMark = 2;
    private const ulong LastSmallInternal = 4096;
    private const int MapleNodeSize = 256;
    private const int DeepestMapleTree = 31;

    /// <summary>Entries of an xarray, or of a radix tree, which is one since 4.20.</summary>
    /// <param name="array">Address of the struct xarray.</param>
    /// <param name="max">The most entries that are given.</param>
    /// <returns>Index and entry; entries with bit 0 set are numbers, not pointers.</returns>
    public IEnumerable<(ulong Index, ulong Entry)> XArray(ulong array, int max = 1 << 16)
    {
        if (OffsetOf("xarray", "xa_head") is not { } head || !Memory.TryReadUInt64(array + (ulong)head, out var root) || root == 0)
            yield break;
        if (!IsNode(root))
        {
            if ((root & InternalBits) != InternalMark)
                yield return (0, root);
            yield break;
        }
        if (FindMember(Find("xa_node"), "slots") is not { Size: > 0 } slots || OffsetOf("xa_node", "shift") is not { } shiftAt)
            yield break;
        var count = Math.Min(slots.Size, 64 * 8) / 8;
        var path = new Stack<(ulong Node, ulong Start, int Shift, int Next, byte[] Slots)>();
        // Each node but the root is entered through an entry: more nodes than that are a hostile tree's.
        var (given, entered) = (0, 0);
        var trouble = Enter(root, 0, 64);
        while (path.TryPop(out var here))
        {
            if (here.Next < count)
            {
                path.Push(here with { Next = here.Next + 1 });
                var entry = BinaryPrimitives.ReadUInt64LittleEndian(here.Slots.AsSpan(here.Next * 8));
                var index = here.Start + ((ulong)here.Next << here.Shift);
                if (IsNode(entry))
                {
                    trouble ??= Enter(entry, index, here.Shift);
                }
                else if (entry != 0 && (entry & InternalBits) != InternalMark)
                {
                    if (given++ == max)
                    {
                        trouble = $"it has more than {max} entries";
                        break;
                    }
                    yield return (index, entry);
                }
            }
        }
        if (trouble is not null)
            _gaps.Add($"xarray at 0x{array:x}", trouble);

        string? Enter(ulong entry, ulong start, int above)
        {
            var node = entry - InternalMark;
            var bytes = new byte[count * 8];
            if (entered++ > max)
                return $"it has more than {max} nodes";
            if (!Memory.TryReadByte(node + (ulong)shiftAt, out var shift) || !Memory.TryRead(node + slots.Offset, bytes))
                return $"node 0x{node:x} is not in the dump";
            if (shift >= above)
                return $"node 0x{node:x} covers no less than the one above it";
            path.Push((node, start, shift, 0, bytes));
            return null;
        }
    }

    /// <summary>Entries of an IDR: ids and pointers.</summary>
    /// <param name="idr">Address of the struct idr.</param>
    /// <param name="max">The most entries that are given.</param>
    public IEnumerable<(ulong Index, ulong Entry)> Idr(ulong idr, int max = 1 << 16)
    {
        var first = At("idr", idr)["idr_base"].Unsigned ?? 0;
        if (OffsetOf("idr", "idr_rt") is { } tree)
            foreach (var (index, entry) in XArray(idr + (ulong)tree, max))
                yield return (index + first, entry);
    }

    /// <summary>Entries of a maple tree with the ranges of indexes they stand for, in order.</summary>
    /// <param name="tree">Address of the struct maple_tree.</param>
    /// <param name="max">The most entries that are given.</param>
    public IEnumerable<(ulong First, ulong Last, ulong Entry)> MapleTree(ulong tree, int max = 1 << 16)
    {
        if (OffsetOf("maple_tree", "ma_root") is not { } head || !Memory.TryReadUInt64(tree + (ulong)head, out var root) || root == 0)
            yield break;
        if (!IsNode(root))
        {
            if ((root & InternalBits) != InternalMark)
                yield return (0, 0, root);
            yield break;
        }
        var path = new Stack<(ulong First, ulong Last, int Next, MapleNode Node)>();
        var (given, entered) = (0, 0);
        var trouble = Enter(root, 0, ulong.MaxValue);
        while (path.TryPop(out var here))
        {
            var (first, last, next, node) = here;
            if (next >= node.Slots || first > last)
                continue;
            var pivot = node.Pivot(next, first, last);
            var entry = node.Slot(next);
            if (pivot < last)
                path.Push((pivot + 1, last, next + 1, node));
            if (!node.IsLeaf)
            {
                // Always a node, or nothing yet; only the root carries the mark of one.
                if (entry > LastSmallInternal)
                    trouble ??= Enter(entry, first, pivot);
            }
            else if (entry != 0 && (entry & InternalBits) != InternalMark)
            {
                if (given++ == max)
                {
                    trouble = $"it has more than {max} entries";
                    break;
                }
                yield return (first, pivot, entry);
            }
        }
        if (trouble is not null)
            _gaps.Add($"maple tree at 0x{tree:x}", trouble);

        string? Enter(ulong entry, ulong first, ulong last)
        {
            if (path.Count >= DeepestMapleTree * 2 || entered++ > max)
                return "it is too large";
            var bytes = new byte[MapleNodeSize];
            var address = entry & ~(ulong)(MapleNodeSize - 1);
            if (!Memory.TryRead(address, bytes))
                return $"node 0x{address:x} is not in the dump";
            if (MapleNode.Of(this, bytes, (int)(entry >> 3) & 15) is not { } node)
                return $"node 0x{address:x} is of type {(entry >> 3) & 15}, which this program does not know";
            path.Push((first, last, 0, node));
            return null;
        }
    }

    private static bool IsNode(ulong entry) => (entry & InternalBits) == InternalMark && entry > LastSmallInternal;
}
