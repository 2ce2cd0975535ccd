using System.Globalization;
using System.Text.RegularExpressions;
using Netdump.Kernel.Types;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Types;

public partial class KernelTypesTests
{
    public static TheoryData<string> Dumps => [Crashes.Linux61FourLevel, Crashes.Linux61, Crashes.Linux73, Crashes.Arm64];

    [Fact]
    public void Item11_all_types_of_6_1_parse()
    {
        var kernel = Crashes.Open(Crashes.Linux61);
        using var dump = kernel.Dump;
        var types = kernel.Types!;
        Assert.Equal(100_751, types.Count);
        var kinds = new int[32];
        for (var id = 1; id < types.Count; id++)
            kinds[(int)types.Type(id).Kind]++;
        Assert.Equal((8_721, 44_546, 7), (kinds[(int)TypeKind.Struct], kinds[(int)TypeKind.Function], kinds[(int)TypeKind.Enum64]));
        Assert.Empty(kernel.Gaps.All);
    }

    [Fact]
    public void Item12_offsets_of_task_struct_are_those_of_the_debug_information()
    {
        var kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        var types = kernel.Types!;
        var golden = File.ReadAllLines(SharedData.File("linux-6.1-sysrq-4level", "golden/struct_task_struct-layout.txt"));
        var judged = 0;
        foreach (var line in golden)
            if (LayoutLine().Match(line) is { Success: true } match)
            {
                Assert.Equal(int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), types.OffsetOf("task_struct", match.Groups[2].Value));
                judged++;
            }
        Assert.True(judged > 200, $"only {judged} members were compared");
        Assert.Equal((24, 32, 2416, 2976, 2192, 5400), (types.OffsetOf("task_struct", "__state"), types.OffsetOf("task_struct", "stack"),
            types.OffsetOf("task_struct", "pid"), types.OffsetOf("task_struct", "comm"), types.OffsetOf("task_struct", "tasks"),
            types.OffsetOf("task_struct", "thread.sp")));
    }

    [Theory]
    [MemberData(nameof(Dumps))]
    public void Item13_nested_members_elements_bitfields_and_enumerations_resolve(string path)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        var types = kernel.Types!;
        Assert.NotNull(types.OffsetOf("page", "compound_head") ?? types.OffsetOf("page", "compound_info"));  // in a structure in a union, both nameless
        var waiting = types.FindMember(types.Find("struct task_struct"), "in_iowait")!.Value;
        Assert.Equal((1, 4), (waiting.BitSize, waiting.Size));
        var last = types.OffsetOf("zone", "free_area[10].nr_free") - types.OffsetOf("zone", "free_area[9].nr_free");
        Assert.Equal(types.SizeOf("free_area"), last);
        Assert.Equal(3, types.EnumValue("system_states", "SYSTEM_RUNNING"));
        Assert.Equal(0, types.EnumValue("zone_stat_item", "NR_FREE_PAGES"));
        Assert.Equal("SYSTEM_BOOTING", types.EnumName(types.Find("enum system_states"), 0));
    }

    [Theory]
    [MemberData(nameof(Dumps))]
    public void Objects_read_from_real_memory(string path)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        var types = kernel.Types!;
        var uts = types.At("uts_namespace", kernel.Info.Symbol("init_uts_ns")!.Value);
        Assert.Equal("Linux", uts["name.sysname"].Text);
        Assert.Equal(kernel.Info.Release, uts["name"]["release"].Text);
        Assert.False(uts["name"]["no_such_member"]["below"].Exists);
        Assert.Null(uts["name"]["no_such_member"].Text);
    }

    [Fact]
    public void Item15_what_is_absent_is_an_answer()
    {
        var kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        var types = kernel.Types!;
        Assert.Equal(0, types.Find("no_such_struct"));
        Assert.Null(types.SizeOf("no_such_struct"));
        Assert.Null(types.OffsetOf("no_such_struct", "member"));
        Assert.Null(types.OffsetOf("task_struct", "no_such_member"));
        Assert.Null(types.OffsetOf("task_struct", "mm.owner"));
        Assert.Null(types.OffsetOf("task_struct", "comm[16]"));
        Assert.Null(types.SizeOf(0));
        Assert.Equal(TypeKind.Void, types.Type(0).Kind);
        Assert.Null(types.EnumValue("system_states", "NO_SUCH_STATE"));
        Assert.False(types.At("no_such_struct", 1)["x"][3].Target.Exists);
        foreach (var path in (string[])["", ".", "comm.", ".comm", "comm[", "comm[]", "comm[-1]", "comm[1", "comm]1[", "comm[99999999999]", new string('a', 3000)])
            Assert.Null(types.FindMember(types.Find("task_struct"), path));
    }

    [Theory]
    [MemberData(nameof(Dumps))]
    public void The_search_through_the_image_finds_what_the_symbols_say(string path)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        var said = BtfSearch.Find(kernel.Memory, kernel.Symbols, kernel.Info, out _);
        Assert.NotNull(kernel.Symbols);
        Assert.True(said!.Span.SequenceEqual(BtfSearch.Search(kernel.Memory, kernel.Info, out var trouble)!.Span));
        Assert.Null(trouble);
    }

    [Theory]
    [MemberData(nameof(Dumps))]
    public void Item14_modules_bring_types_along(string path)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        var types = kernel.Types!;
        Assert.NotEmpty(types.Modules);
        foreach (var name in types.Modules)
        {
            var module = types.OfModule(name);
            Assert.True(module is not null && module.Count > types.Count, name);
            Assert.Equal(types.OffsetOf("task_struct", "comm"), module.OffsetOf("task_struct", "comm"));
        }
        Assert.Empty(kernel.Gaps.All);
    }

    [Fact]
    public void User29_structures_of_modules_resolve()
    {
        var kernel = Crashes.Open(Crashes.Linux61);
        using var dump = kernel.Dump;
        var types = kernel.Types!;
        Assert.Equal(31, types.Modules.Count);
        Assert.Equal(0, types.Find("ext4_sb_info"));
        foreach (var (module, structure) in ((string, string)[])[("ext4", "ext4_sb_info"), ("sunrpc", "sunrpc_net")])
        {
            var own = types.OfModule(module)!;
            Assert.True(own.SizeOf(structure) > 0, structure);
            Assert.Equal(TypeKind.Struct, own.Type(own.Find(structure)).Kind);
        }
        // A member whose type is the kernel's.
        Assert.True(types.OfModule("ext4")!.OffsetOf("ext4_sb_info", "s_sb") >= 0);
    }

    [GeneratedRegex(@"^ *\[(\d+)\] .*?\(?\*?(\w+)(?: : \d+|\)\(.*\)|\[[\d\]\[]*\])?;$")]
    private static partial Regex LayoutLine();
}
