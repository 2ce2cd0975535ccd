using CsCheck;
using Netdump.Kernel.Types;

namespace Netdump.Kernel.Tests.Types;

/// <summary>The kernel's lists and trees, sound and hostile, in memory that the test wrote.</summary>
public class ContainerTests
{
    private const ulong Start = SyntheticMemory.Start;

    private readonly Gaps _gaps = new();
    private readonly SyntheticMemory _memory;
    private readonly KernelTypes _types;

    public ContainerTests()
    {
        var btf = new BtfBuilder();
        var (word, letter, pointer) = (btf.Integer("unsigned int", 4), btf.Integer("unsigned char", 1), btf.Pointer(0));
        var list = btf.Structure("list_head", 16, ("next", pointer, 0), ("prev", pointer, 64));
        var hashed = btf.Structure("hlist_node", 16, ("next", pointer, 0), ("pprev", pointer, 64));
        var node = btf.Structure("rb_node", 24, ("parent", pointer, 0), ("rb_right", pointer, 64), ("rb_left", pointer, 128));
        btf.Structure("thing", 64, ("id", pointer, 0), ("list", list, 64), ("hash", hashed, 192), ("tree", node, 320));
        var array = btf.Structure("xarray", 16, ("xa_lock", word, 0), ("xa_head", pointer, 64));
        btf.Structure("xa_node", 16 + 512, ("shift", letter, 0), ("slots", btf.Array(pointer, 64), 128));
        btf.Structure("idr", 24, ("idr_rt", array, 0), ("idr_base", word, 128));
        btf.Structure("maple_tree", 16, ("ma_lock", word, 0), ("ma_root", pointer, 64));
        btf.Structure("maple_node", 256, ("slot", btf.Array(pointer, 31), 64));
        btf.Structure("maple_range_64", 256, ("pivot", btf.Array(pointer, 15), 64), ("slot", btf.Array(pointer, 16), 1024));
        btf.Structure("maple_arange_64", 256, ("pivot", btf.Array(pointer, 9), 64), ("slot", btf.Array(pointer, 10), 640));
        (_types, _memory) = SyntheticTypesTests.Open(btf, _gaps);
    }

    [Fact]
    public void A_list_gives_its_entries_and_says_how_a_broken_one_ends()
    {
        Link(Start, Start + 0x108, Start + 0x208, Start + 0x308, Start);
        Assert.Equal([Start + 0x100, Start + 0x200, Start + 0x300], _types.ListEntries(Start, "thing", "list").Select(e => e.Address));
        Assert.Empty(_gaps.All);
        Assert.Equal(2, _types.ListEntries(Start, "thing", "list", 2).Count());
        Assert.Contains("more than", Assert.Single(_gaps.All).Value, StringComparison.Ordinal);
        Link(Start + 0x308, Start + 0x208);
        Assert.InRange(_types.ListEntries(Start, "thing", "list").Count(), 3, 20);
        Link(Start + 0x40, Start + 0x308, _memory.End + 64);
        Assert.Equal(2, _types.ListEntries(Start + 0x40, "thing", "list").Count());
        Assert.Contains(_gaps.All, gap => gap.Value.StartsWith("its next entry is not in the dump", StringComparison.Ordinal));
        Assert.Empty(_types.ListEntries(Start, "missing", "list"));
        Assert.Empty(_types.ListEntries(Start, "thing", "missing"));
    }

    [Fact]
    public void A_hash_chain_ends_at_null_at_an_odd_pointer_and_where_it_meets_itself()
    {
        Link(Start, Start + 0x118, Start + 0x218, 0);
        Assert.Equal([Start + 0x100, Start + 0x200], _types.HlistEntries(Start, "thing", "hash").Select(e => e.Address));
        _memory.Write(Start + 0x218, 0x55UL);
        Assert.Equal(2, _types.HlistEntries(Start, "thing", "hash").Count());
        Assert.Empty(_gaps.All);
        _memory.Write(Start + 0x218, Start + 0x118);
        Assert.Equal(2, _types.HlistEntries(Start, "thing", "hash").Count());
        Assert.Contains("circle", Assert.Single(_gaps.All).Value, StringComparison.Ordinal);
    }

    [Fact]
    public void A_red_black_tree_of_any_shape_is_given_in_order() => Gen.Int[0, 500].HashSet[0, 60].Sample(keys =>
    {
        _memory.At(Start)[..0x10000].Clear();
        foreach (var key in keys)
        {
            var at = Start;
            for (ulong next; (next = BitConverter.ToUInt64(_memory.At(at))) != 0;)
                at = next + (key < (int)(next - Start) / 64 ? 16UL : 8UL);
            _memory.Write(at, Start + 64 * (ulong)key + 64);
        }
        Assert.Equal(keys.Order().Select(k => Start + 64 * (ulong)k + 64), _types.RbTree(Start));
    }, threads: 1);

    [Fact]
    public void A_red_black_tree_that_meets_itself_or_leaves_memory_ends()
    {
        _memory.Write(Start, Start + 0x100);
        _memory.Write(Start + 0x110, Start + 0x200);
        _memory.Write(Start + 0x108, Start + 0x300);
        _memory.Write(Start + 0x308, Start + 0x100);
        Assert.Equal([Start + 0x200, Start + 0x100, Start + 0x300], _types.RbTree(Start));
        Assert.Contains("twice", Assert.Single(_gaps.All).Value, StringComparison.Ordinal);
        _memory.Write(Start + 0x308, _memory.End + 0x1000);
        Assert.Equal(3, _types.RbTree(Start).Count(at => at < _memory.End));
        Assert.Equal(2, _types.RbTree(Start, 2).Count());
        Assert.Equal([Start + 0x200 - 40, Start + 0x100 - 40], _types.RbEntries(Start, "thing", "tree", 2).Select(e => e.Address));
    }

    [Fact]
    public void An_xarray_of_any_indexes_is_given_in_order()
    {
        Gen.ULong[0, 1 << 17].HashSet[0, 40].Sample(indexes =>
        {
            _memory.At(Start)[..0x80000].Clear();
            var next = Start + 0x1000;
            var root = NewNode(12);
            _memory.Write(Start + 8, root + 2);
            foreach (var index in indexes)
            {
                var node = root;
                for (var shift = 12; shift > 0; shift -= 6)
                {
                    var slot = node + 16 + ((index >> shift) & 63) * 8;
                    if (BitConverter.ToUInt64(_memory.At(slot)) == 0)
                        _memory.Write(slot, NewNode(shift - 6) + 2);
                    node = BitConverter.ToUInt64(_memory.At(slot)) - 2;
                }
                _memory.Write(node + 16 + (index & 63) * 8, (index << 1) | 1);
            }
            Assert.Equal(indexes.Order().Select(i => (i, (i << 1) | 1)), _types.XArray(Start));

            ulong NewNode(int shift)
            {
                next += 0x400;
                _memory.Write(next, (ulong)shift);
                return next;
            }
        }, threads: 1);
    }

    [Fact]
    public void An_xarray_of_one_entry_and_marks_of_its_own_and_an_idr_are_read()
    {
        Assert.Empty(_types.XArray(Start));
        _memory.Write(Start + 8, 0x1234_5678UL & ~3UL);
        Assert.Equal([(0UL, 0x1234_5678UL & ~3UL)], _types.XArray(Start));
        _memory.Write(Start + 8, Start + 0x1002);
        foreach (var (slot, value) in ((ulong, ulong)[])[(3, Start + 0x40), (4, 14), (5, 1030), (6, 1026), (9, 0x21)])
            _memory.Write(Start + 0x1010 + slot * 8, value);
        Assert.Equal([(3, Start + 0x40), (9UL, 0x21UL)], _types.XArray(Start));
        _memory.At(Start + 16)[0] = 100;
        Assert.Equal([(103, Start + 0x40), (109UL, 0x21UL)], _types.Idr(Start));
    }

    [Fact]
    public void An_xarray_that_holds_itself_ends()
    {
        _memory.Write(Start + 8, Start + 0x1002);
        _memory.At(Start + 0x1000)[0] = 6;
        for (var slot = 0UL; slot < 64; slot++)
            _memory.Write(Start + 0x1010 + slot * 8, Start + 0x1002);
        Assert.Empty(_types.XArray(Start));
        Assert.Contains("covers no less", Assert.Single(_gaps.All).Value, StringComparison.Ordinal);
    }

    [Fact]
    public void A_maple_tree_gives_ranges_of_inner_nodes_leaves_and_dense_ones()
    {
        // The root, of kind 3, holds two leaves; the second of them ends at a pivot of 0.
        _memory.Write(Start + 8, (Start + 0x1000) | (3 << 3) | 2);
        _memory.Write(Start + 0x1008, 20UL);
        _memory.Write(Start + 0x1010, ulong.MaxValue);
        _memory.Write(Start + 0x1000 + 80, (Start + 0x1100) | (1 << 3) | 4);
        _memory.Write(Start + 0x1000 + 88, (Start + 0x1200) | (1 << 3) | 4);
        foreach (var (at, value) in ((ulong, ulong)[])[(8, 4), (16, 9), (24, 20), (128, 0x100), (136, 0), (144, 0x300)])
            _memory.Write(Start + 0x1100 + at, value);
        foreach (var (at, value) in ((ulong, ulong)[])[(8, 30), (128, 0x400), (136, 0x500)])
            _memory.Write(Start + 0x1200 + at, value);
        Assert.Equal([(0, 4, 0x100), (10, 20, 0x300), (21, 30, 0x400), (31UL, ulong.MaxValue, 0x500UL)], _types.MapleTree(Start));
        Assert.Empty(_gaps.All);
        _memory.Write(Start + 8, 0x770UL);
        Assert.Equal([(0UL, 0UL, 0x770UL)], _types.MapleTree(Start));
        _memory.Write(Start + 8, (Start + 0x1300) | 2);
        _memory.Write(Start + 0x1300 + 8 * 8, 0x600UL);
        Assert.Equal([(7UL, 7UL, 0x600UL)], _types.MapleTree(Start));
    }

    [Fact]
    public void A_maple_tree_that_holds_itself_or_an_unknown_node_ends()
    {
        _memory.Write(Start + 8, (Start + 0x1000) | (2 << 3) | 2);
        for (var slot = 0UL; slot < 16; slot++)
        {
            _memory.Write(Start + 0x1008 + slot * 8, slot + 1);
            _memory.Write(Start + 0x1000 + 128 + slot * 8, (Start + 0x1000) | (2 << 3) | 4);
        }
        Assert.Empty(_types.MapleTree(Start, 1000));
        Assert.Contains("too large", Assert.Single(_gaps.All).Value, StringComparison.Ordinal);
        _memory.Write(Start + 8, (Start + 0x1000) | (9 << 3) | 2);
        Assert.Empty(_types.MapleTree(Start));
    }

    private void Link(ulong from, params ReadOnlySpan<ulong> chain)
    {
        foreach (var next in chain)
        {
            _memory.Write(from, next);
            from = next;
        }
    }
}
