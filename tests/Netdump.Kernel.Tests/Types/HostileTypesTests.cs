using System.Buffers.Binary;
using System.Diagnostics;
using CsCheck;
using Netdump.Kernel.Types;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Tests.Types;

/// <summary>BTF that no compiler made.</summary>
public class HostileTypesTests
{
    [Fact]
    public void Item15_types_that_never_end_are_answers()
    {
        var btf = new BtfBuilder();
        var word = btf.Integer("int", 4);
        btf.Typedef("a", 3);
        btf.Typedef("b", 2);
        btf.Structure("self", 8, ("", 4, 0), ("", 4, 0));
        btf.Structure("typed", 8, ("x", 2, 0));
        btf.Array(6, uint.MaxValue);
        btf.Add("points", 8, false, 0, uint.MaxValue);
        var huge = btf.Array(btf.Array(btf.Array(word, 1 << 30), 1 << 30), 1 << 30);
        btf.Structure("large", int.MaxValue, ("x", huge, 0));
        var (types, memory) = SyntheticTypesTests.Open(btf);
        Assert.Equal((null, null), (types.SizeOf("a"), types.OffsetOf("a", "x")));
        Assert.Null(types.OffsetOf("self", "x"));
        Assert.Equal((0, null), (types.OffsetOf("typed", "x"), types.OffsetOf("typed", "x.y")));
        Assert.Null(types.SizeOf(6));
        Assert.Null(types.SizeOf("points"));
        Assert.Null(types.SizeOf(huge));
        Assert.Equal(0, types.FindMember(types.Find("large"), "x")!.Value.Size);
        var place = types.At("typed", SyntheticMemory.Start)["x"];
        Assert.Equal((true, null, null, null), (place.Exists, place.Unsigned, place.Text, place.Pointer));
        Assert.False(place["y"].Exists || place[1].Exists);
        Assert.True(memory.End > 0);
    }

    [Fact]
    public void Item15_a_name_searched_in_nameless_members_without_end_costs_little()
    {
        // Each structure holds the one before it many times, all nameless: 60000 to the 20th members.
        var btf = new BtfBuilder();
        var last = btf.Structure("", 8, ("bottom", btf.Integer("int", 4), 0));
        for (var level = 0; level < 20; level++)
        {
            var members = new (string, int, int)[1000];
            Array.Fill(members, ("", last, 0));
            last = btf.Structure(level == 19 ? "top" : "", 8, members);
        }
        var (types, _) = SyntheticTypesTests.Open(btf);
        var clock = Stopwatch.StartNew();
        Assert.Null(types.OffsetOf("top", "absent"));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"it took {clock.Elapsed}");
    }

    [Fact]
    public void Item16_a_kind_that_is_not_known_is_named_and_what_lies_before_it_stays()
    {
        var btf = new BtfBuilder();
        btf.Structure("known", 8, ("x", btf.Integer("long", 8), 0));
        btf.Add("new", 20, false, 0, 0);
        btf.Structure("behind", 8, ("x", 1, 0));
        var gaps = new Gaps();
        var (types, _) = SyntheticTypesTests.Open(btf, gaps);
        var gap = Assert.Single(gaps.All);
        Assert.Equal("types", gap.Key);
        Assert.Contains("BTF kind 20", gap.Value, StringComparison.Ordinal);
        Assert.Contains("newer than this program", gap.Value, StringComparison.Ordinal);
        Assert.Equal((0, 0, 3), (types.OffsetOf("known", "x"), types.Find("behind"), types.Count));
    }

    [Theory]
    [InlineData(0, 0x1234)]
    [InlineData(0, 0x9feb)]
    [InlineData(2, 0x0002)]
    [InlineData(4, 0xffff)]
    public void Item17_a_header_of_another_format_is_refused(int at, ushort value)
    {
        var btf = new BtfBuilder();
        btf.Integer("int", 4);
        var bytes = btf.Build();
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(at), value);
        Assert.Null(BtfTable.Parse(MemoryView.Of(bytes), null, out var trouble));
        Assert.StartsWith("BTF ", trouble, StringComparison.Ordinal);
    }

    [Fact]
    public void Item17_lengths_past_the_end_are_cut_off()
    {
        var btf = new BtfBuilder();
        btf.Structure("first", 8, ("x", btf.Integer("int", 4), 0));
        btf.Add("longer", 4, false, 0xffff, int.MaxValue, 1, 1, 1);
        var table = BtfTable.Parse(MemoryView.Of(btf.Build()), null, out var trouble)!;
        Assert.Contains("reaches past the end", trouble, StringComparison.Ordinal);
        Assert.Equal(3, table.NextId);
    }

    [Fact]
    public void Item17_names_past_the_end_and_without_one_are_cut()
    {
        var btf = new BtfBuilder();
        btf.Integer(new string('x', 5000), 4);
        btf.Integer("int", 4);
        var bytes = btf.Build();
        var table = BtfTable.Parse(MemoryView.Of(bytes), null, out var trouble)!;
        Assert.Null(trouble);
        Assert.Equal(BtfTable.LongestName, table.Type(1).Name.Length);
        Assert.Equal((2, 0), (table.Find("int"u8, TypeKind.Int), table.Find("nothing"u8, TypeKind.Int)));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(24), 0x7fff_ffff);
        Assert.Equal("", BtfTable.Parse(MemoryView.Of(bytes), null, out _)!.Type(1).Name);
        bytes[^1] = (byte)'t';
        Assert.Equal("intt", BtfTable.Parse(MemoryView.Of(bytes), null, out _)!.Type(2).Name);
    }

    [Fact]
    public void Item17_any_change_of_sound_bytes_is_read_to_an_end_within_bounds()
    {
        var sound = HostileTypes.Sound();
        Gen.Select(Gen.Int[0, sound.Length - 1], Gen.Byte).Array[1, 12].Sample(changes =>
        {
            var bytes = (byte[])sound.Clone();
            foreach (var (at, value) in changes)
                bytes[at] = value;
            var before = GC.GetAllocatedBytesForCurrentThread();
            var memory = new SyntheticMemory();
            HostileTypes.ReadAll(KernelTypes.Open(MemoryView.Of(bytes), memory.Memory, new Gaps()));
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
        });
    }
}
