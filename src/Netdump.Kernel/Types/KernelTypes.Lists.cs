using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Types;

/// <content>Lists and binary trees.</content>
public sealed partial class KernelTypes
{
    // Twice the base-2 logarithm of all nodes that memory could hold.
    private const int DeepestTree = 128;

    /// <summary>Entries of a circular list (struct list_head), the head left out.</summary>
    /// <param name="head">Address of the head.</param>
    /// <param name="type">The entries' structure.</param>
    /// <param name="member">Their list_head.</param>
    /// <param name="max">The most that are followed; a longer list, a cycle or an unreadable entry is noted as a gap.</param>
    public IEnumerable<KernelObject> ListEntries(ulong head, string type, string member, int max = 1 << 16)
    {
        var id = Find(type);
        if (FindMember(id, member) is not { } place)
            yield break;
        var walk = Memory.WalkList(head, max);
        var count = 0;
        while (walk.MoveNext())
        {
            count++;
            yield return new KernelObject(this, id, unchecked(walk.Current - place.Offset));
        }
        if (walk.End != ListEnd.Head)
            _gaps.Add($"list of {type} at 0x{head:x}", $"{Words(walk.End)} after {count} entries");
    }

    /// <summary>Entries of a list of hlist_node that ends in null.</summary>
    /// <param name="head">Address of the hlist_head.</param>
    /// <param name="type">The entries' structure.</param>
    /// <param name="member">Their hlist_node.</param>
    /// <param name="max">The most that are followed; what is met twice ends the walk as well.</param>
    public IEnumerable<KernelObject> HlistEntries(ulong head, string type, string member, int max = 1 << 16)
    {
        var id = Find(type);
        if (FindMember(id, member) is not { } place)
            yield break;
        var seen = new HashSet<ulong>();
        var readable = Memory.TryReadUInt64(head, out var at);
        // The last pointer of hlist_nulls is odd.
        while (readable && at != 0 && (at & 1) == 0 && seen.Count < max && seen.Add(at))
        {
            yield return new KernelObject(this, id, unchecked(at - place.Offset));
            readable = Memory.TryReadUInt64(at, out at);
        }
        if (!readable || (at != 0 && (at & 1) == 0))
            _gaps.Add($"list of {type} at 0x{head:x}", $"{Words(!readable ? ListEnd.Unreadable : seen.Contains(at) ? ListEnd.Cycle : ListEnd.TooLong)} after {seen.Count} entries");
    }

    /// <summary>Entries of a red-black tree in order.</summary>
    /// <param name="root">Address of the rb_root or rb_root_cached.</param>
    /// <param name="type">The entries' structure.</param>
    /// <param name="member">Their rb_node.</param>
    /// <param name="max">The most that are given.</param>
    public IEnumerable<KernelObject> RbEntries(ulong root, string type, string member, int max = 1 << 16)
    {
        var id = Find(type);
        if (FindMember(id, member) is not { } place)
            yield break;
        foreach (var node in RbTree(root, max))
            yield return new KernelObject(this, id, unchecked(node - place.Offset));
    }

    /// <summary>Addresses of the rb_nodes of a red-black tree in order.</summary>
    /// <param name="root">Address of the rb_root or rb_root_cached.</param>
    /// <param name="max">The most that are given; a tree that is larger, too deep or meets itself is noted as a gap.</param>
    public IEnumerable<ulong> RbTree(ulong root, int max = 1 << 16)
    {
        if (OffsetOf("rb_node", "rb_left") is not { } left || OffsetOf("rb_node", "rb_right") is not { } right)
            yield break;
        var (path, seen) = (new Stack<ulong>(), new HashSet<ulong>());
        string? trouble = null;
        if (!Memory.TryReadUInt64(root, out var at))
            trouble = "its root is not in the dump";
        while (trouble is null && (at != 0 || path.Count > 0))
        {
            for (; at != 0 && trouble is null; trouble = Memory.TryReadUInt64(at + (ulong)left, out at) ? null : $"node 0x{path.Peek():x} is not in the dump")
            {
                if (path.Count == DeepestTree || !seen.Add(at))
                    trouble = path.Count == DeepestTree ? "it is too deep" : $"node 0x{at:x} is met twice";
                else if (seen.Count > max)
                    trouble = $"it has more than {max} nodes";
                if (trouble is not null)
                    break;
                path.Push(at);
            }
            // What was reached before the trouble is given all the same.
            if (path.Count == 0)
                break;
            var node = path.Pop();
            yield return node;
            at = trouble is null && Memory.TryReadUInt64(node + (ulong)right, out var next) ? next : 0;
        }
        while (path.TryPop(out var rest))
            yield return rest;
        if (trouble is not null)
            _gaps.Add($"tree at 0x{root:x}", trouble);
    }

    private static string Words(ListEnd end) => end switch
    {
        ListEnd.Cycle => "it runs in a circle",
        ListEnd.Unreadable => "its next entry is not in the dump",
        _ => "it has more than can be",
    };
}
