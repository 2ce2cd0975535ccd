using Netdump.Kernel.Types;

namespace Netdump.Kernel.Tests.Types;

/// <summary>A BTF blob with one of each kind, and questions to whatever becomes of it.</summary>
internal static class HostileTypes
{
    /// <summary>Uses every answer there is, on whatever types.</summary>
    public static void ReadAll(KernelTypes? types)
    {
        if (types is null)
            return;
        for (var id = 0; id < Math.Min(types.Count, 200); id++)
        {
            var type = types.Type(id);
            _ = types.SizeOf(id);
            _ = types.Find(type.Name, type.Kind);
            for (var i = 0; i < Math.Min(type.Count, 20); i++)
            {
                _ = type.MemberAt(i, out _, out _);
                _ = type.ValueOf(i);
                var place = types.At(id, SyntheticMemory.Start)[type.NameOf(i)];
                _ = (place.Unsigned, place.Signed, place.Text, place[1].Unsigned, place["x.y[1].z"].Exists);
            }
        }
        foreach (var name in (string[])["list_head", "task", "inner", "flags", "nothing"])
            foreach (var path in (string[])["next", "x", "list.prev", "names[1]", "in_x", "a.b.c"])
                _ = types.OffsetOf(name, path);
        foreach (var entry in types.ListEntries(SyntheticMemory.Start, "task", "list", 100))
            _ = entry["comm"].Text;
        _ = types.RbTree(SyntheticMemory.Start, 100).Count();
        _ = types.XArray(SyntheticMemory.Start, 100).Count();
        _ = types.MapleTree(SyntheticMemory.Start, 100).Count();
    }

    /// <summary>One of each kind.</summary>
    public static byte[] Sound()
    {
        var btf = new BtfBuilder();
        var (word, letter) = (btf.Integer("unsigned int", 4), btf.Integer("char", 1));
        var pointer = btf.Pointer(0);
        var list = btf.Structure("list_head", 16, ("next", pointer, 0), ("prev", pointer, 64));
        var inner = btf.Union("", 8, ("x", word, 0), ("y", pointer, 0));
        var names = btf.Array(btf.Array(letter, 8), 4);
        btf.Structure("task", 72, ("list", list, 0), ("", inner, 128), ("names", names, 192), ("comm", btf.Array(letter, 8), 448));
        btf.Bitfields("flags", 4, ("in_x", word, 3, 5));
        btf.Enumeration("state", false, ("A", 0), ("B", 1));
        btf.LongEnumeration("mask", ("C", 1UL << 40));
        btf.Typedef("task_t", btf.Const(btf.Add("", 9, false, 0, 7)));
        btf.Add("proto", 13, false, 1, 0, 0, (uint)word);
        btf.Add("function", 12, false, 1, (uint)word + 10);
        btf.Variable("variable", word);
        btf.Add("section", 15, false, 1, 4, 1, 2, 3);
        btf.Add("tag", 17, true, 0, 4, uint.MaxValue);
        btf.Structure("rb_node", 24, ("rb_left", pointer, 128), ("rb_right", pointer, 64));
        btf.Structure("xarray", 16, ("xa_head", pointer, 64));
        btf.Structure("xa_node", 8 + 32, ("shift", letter, 0), ("slots", btf.Array(pointer, 4), 64));
        btf.Structure("maple_tree", 16, ("ma_root", pointer, 64));
        btf.Structure("maple_range_64", 256, ("pivot", btf.Array(pointer, 15), 64), ("slot", btf.Array(pointer, 16), 1024));
        return btf.Build();
    }
}
