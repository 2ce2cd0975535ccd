using Netdump.Kernel.Types;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Tests.Types;

/// <summary>Types and objects of memory that the test wrote, with what real kernels have seldom or never.</summary>
public class SyntheticTypesTests
{
    private const ulong Start = SyntheticMemory.Start;

    [Fact]
    public void Item13_bitfields_of_both_forms_are_read_with_their_sign()
    {
        var btf = new BtfBuilder();
        var (word, signed, three, truth) = (btf.Integer("unsigned int", 4), btf.Integer("int", 4, signed: true), btf.Integer("", 4, bits: 3), btf.Integer("_Bool", 1, boolean: true));
        var wide = btf.Integer("unsigned long", 8);
        btf.Bitfields("flags", 24, ("first", word, 0, 3), ("second", signed, 3, 5), ("across", wide, 60, 40), ("plain", truth, 160, 0));
        btf.Structure("old", 4, ("low", three, 0), ("high", three, 3));
        var (types, memory) = Open(btf);
        memory.Write(Start, 0b11111_101UL | 0xa000_0000_0000_0000);
        memory.Write(Start + 8, 0xc_1234_5678UL);
        memory.At(Start + 20)[0] = 1;
        var flags = types.At("flags", Start);
        Assert.Equal(5UL, flags["first"].Unsigned);
        Assert.Equal((31UL, -1L), (flags["second"].Unsigned, flags["second"].Signed));
        Assert.Equal(0xc1_2345_678aUL & 0xff_ffff_ffff, flags["across"].Unsigned);
        Assert.Equal((1UL, 0), (flags["plain"].Unsigned, flags["plain"].BitSize));
        var old = types.At("old", Start);
        Assert.Equal((5UL, 7UL), (old["low"].Unsigned, old["high"].Unsigned));
        Assert.Null(flags["first.deeper"].Unsigned);
    }

    [Fact]
    public void Item13_members_of_nameless_unions_and_elements_of_arrays_resolve()
    {
        var btf = new BtfBuilder();
        var (number, letter) = (btf.Integer("long", 8, signed: true), btf.Integer("char", 1));
        var inner = btf.Structure("", 16, ("x", number, 0), ("y", number, 64));
        var either = btf.Union("", 16, ("", inner, 0), ("raw", btf.Array(letter, 16), 0));
        var pairs = btf.Array(btf.Array(number, 2), 3);
        var tail = btf.Array(letter, 0);
        var outer = btf.Structure("outer", 72, ("first", number, 0), ("", either, 64), ("pairs", pairs, 192), ("tail", tail, 576));
        btf.Typedef("outer_t", btf.Const(outer));
        var (types, memory) = Open(btf);
        Assert.Equal((8, 16, 8), (types.OffsetOf("outer", "x"), types.OffsetOf("outer_t", "y"), types.OffsetOf("struct outer", "raw")));
        Assert.Equal((24 + 16 + 8, 72 + 5), (types.OffsetOf("outer", "pairs[1][1]"), types.OffsetOf("outer", "tail[5]")));
        Assert.Null(types.OffsetOf("outer", "pairs[3]"));
        Assert.Equal((72, 48, (int?)null), (types.SizeOf("outer_t"), types.SizeOf(pairs), types.SizeOf("nothing")));
        memory.Write(Start + 72, "what follows\0"u8);
        memory.Write(Start + 16, unchecked((ulong)-2L));
        var place = types.At("outer_t", Start);
        Assert.Equal(("what follows", -2L), (place["tail"].Text, place["y"].Signed));
        Assert.Equal((Start + 48, true), (place["pairs"][1][1].Address, place["pairs"][2].Exists));
        Assert.False(place["pairs"][3].Exists || place["pairs"][-1].Exists || place[0].Exists);
    }

    [Fact]
    public void Item13_enumerations_of_both_sizes_resolve()
    {
        var btf = new BtfBuilder();
        var small = btf.Enumeration("state", true, ("STOPPED", -1), ("RUNNING", 3));
        btf.Enumeration("", false, ("NAMELESS", 7), ("LARGE", -1));
        btf.LongEnumeration("mask", ("ALL", ulong.MaxValue), ("HIGH", 1UL << 40));
        btf.Structure("holder", 4, ("now", small, 0));
        var (types, memory) = Open(btf);
        Assert.Equal((-1L, 3L), (types.EnumValue("state", "STOPPED"), types.EnumValue("state", "RUNNING")));
        Assert.Equal((-1L, 1L << 40), (types.EnumValue("mask", "ALL"), types.EnumValue("mask", "HIGH")));
        Assert.Equal((7L, 0xffff_ffffL, (long?)null), (types.EnumValue("", "NAMELESS"), types.EnumValue("", "LARGE"), types.EnumValue("", "RUNNING")));
        memory.Write(Start, 0xffff_ffffUL);
        var now = types.At("holder", Start)["now"];
        Assert.Equal((-1L, "STOPPED"), (now.Signed, types.EnumName(now.TypeId, now.Signed!.Value)));
    }

    [Fact]
    public void Pointers_are_followed_and_end_at_null_errors_and_absent_memory()
    {
        var btf = new BtfBuilder();
        var (letter, count) = (btf.Integer("char", 1), btf.Integer("int", 4, signed: true));
        var atomic = btf.Typedef("atomic_t", btf.Structure("", 4, ("counter", count, 0)));
        btf.Structure("node", 32, ("next", btf.Pointer(btf.Const(9)), 0), ("name", btf.Pointer(letter), 64), ("here", btf.Array(letter, 8), 128), ("uses", atomic, 192));
        var (types, memory) = Open(btf);
        Assert.Equal(9, types.Find("node", TypeKind.Struct));
        memory.Write(Start, Start + 0x100);
        memory.Write(Start + 0x100, unchecked((ulong)-12L));
        memory.Write(Start + 0x108, Start + 0x200);
        memory.Write(Start + 0x110, "12345678"u8);
        memory.Write(Start + 0x118, 0xffff_fffeUL);
        memory.Write(Start + 0x200, "a \u00ff name\0"u8);
        var node = types.At("node", Start);
        var next = node["next"];
        Assert.Equal("12345678", next["here"].Text);
        Assert.Equal("12345678", node["next.here"].Text);
        Assert.Equal((ulong)'2', node["next.here[1]"].Unsigned);
        Assert.Equal((-2L, 0xffff_fffeUL), (next["uses"].Signed, next["uses"].Unsigned));
        Assert.Equal((Start + 0x100, true), (next.Pointer!.Value, next.Target.Exists));
        Assert.Equal("a \u00ff name", next["name"].Text); // what the test's literal holds is UTF-8
        Assert.False(node["next"]["next"]["here"].Exists || node["next.next.next.here"].Exists);
        Assert.Equal((Start + 0x120, "12345678"), (next[1].Address, next[0]["here"].Text));
        Assert.Null(types.At("node", memory.End + 0x1000)["here"].Text);
        Assert.Equal((null, null, null), (types.At("node", ulong.MaxValue - 8)["uses"].Unsigned, default(KernelObject).Text, default(KernelObject).Signed));
        Assert.Equal(Start, node.First("missing", "next").Address);
        Assert.Equal(Start, node.Cast("atomic_t").Address);
        Assert.False(node.Cast("missing").Exists);
    }

    [Fact]
    public void Item14_a_modules_types_go_on_where_the_kernels_end()
    {
        var btf = new BtfBuilder();
        var word = btf.Integer("unsigned int", 4);
        var (pointer, name) = (btf.Pointer(0), btf.Array(btf.Integer("char", 1), 56));
        var list = btf.Structure("list_head", 16, ("next", pointer, 0), ("prev", pointer, 64));
        var module = btf.Structure("module", 56, ("name", name, 0));
        var blob = btf.Structure("btf", 32, ("data", pointer, 0), ("data_size", word, 64), ("start_id", word, 96), ("start_str_off", word, 128));
        btf.Structure("btf_module", 32, ("list", list, 0), ("module", btf.Pointer(module), 128), ("btf", btf.Pointer(blob), 192));
        var kernel = btf.Build();
        var memory = new SyntheticMemory();
        var gaps = new Gaps();
        var types = KernelTypes.Open(MemoryView.Of(kernel), memory.Memory, gaps, Start + 0x800)!;
        var strings = kernel.Length - 24 - BitConverter.ToInt32(kernel, 12);
        var split = new BtfBuilder(types.Count, strings);
        split.Structure("ext_node", 24, ("list", list, 0), ("id", word, 128));
        split.Structure("list_head", 1, ("shadow", word, 0));
        var bytes = split.Build();
        memory.Write(Start + 0x800, Start + 0x1000); // the list's head
        foreach (var (at, loaded, next, first) in new[] { (0x1000u, "ext\0", 0x2000u, (ulong)types.Count), (0x2000u, "wrong\0", 0x800u, 7UL) })
        {
            memory.Write(Start + at, Start + next);
            memory.Write(Start + at + 16, Start + at + 0x100);
            memory.Write(Start + at + 24, Start + at + 0x200);
            memory.Write(Start + at + 0x100, System.Text.Encoding.ASCII.GetBytes(loaded));
            memory.Write(Start + at + 0x200, Start + 0x4000);
            memory.Write(Start + at + 0x208, (uint)bytes.Length | (first << 32));
            memory.Write(Start + at + 0x210, (ulong)strings);
        }
        memory.Write(Start + 0x4000, bytes);
        Assert.Equal(["ext", "wrong"], types.Modules);
        var ext = types.OfModule("ext")!;
        Assert.Same(ext, types.OfModule("ext"));
        Assert.Equal((16, 24, 8), (ext.OffsetOf("ext_node", "id"), ext.SizeOf("ext_node"), ext.OffsetOf("ext_node", "list.prev")));
        Assert.Equal((types.Find("list_head"), 0), (ext.Find("list_head"), types.Find("ext_node")));
        Assert.Equal("ext_node", ext.Type(ext.Find("ext_node")).Name);
        Assert.Null(types.OfModule("wrong"));
        Assert.Null(types.OfModule("absent"));
        Assert.Contains(gaps.All, gap => gap.Key == "types of module wrong");
    }

    internal static (KernelTypes Types, SyntheticMemory Memory) Open(BtfBuilder btf, Gaps? gaps = null)
    {
        var memory = new SyntheticMemory();
        return (KernelTypes.Open(MemoryView.Of(btf.Build()), memory.Memory, gaps ?? new Gaps())!, memory);
    }
}
