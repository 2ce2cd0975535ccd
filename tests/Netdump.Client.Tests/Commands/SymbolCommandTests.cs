using System.Text.Json;
using Netdump.Vmcore.Tests;
using static Netdump.Client.Tests.Commands.CapturedRun;

namespace Netdump.Client.Tests.Commands;

/// <summary><c>netdump sym</c> and <c>netdump mod</c> as an operator types them.</summary>
[Collection("console")] // its tests take the output of the process
public sealed class SymbolCommandTests
{
    private static readonly string Dump = SharedData.File("linux-6.1-sysrq-4level", "vmcore.kdump");

    [Fact]
    public void User27_sym_tells_names_and_addresses()
    {
        (int exit, string output, string error) = Run("sym", Dump, "sysrq_handle_crash", "ffffffff81890926", "0xffffffffc02e9000");
        Assert.Equal((0, ""), (exit, error));
        string[] lines = output.TrimEnd().Split('\n');
        Assert.Equal("ffffffff81890910 (t) sysrq_handle_crash", lines[0]);
        Assert.Equal("ffffffff81890926 (t) sysrq_handle_crash+0x16/0x20", lines[1]);
        Assert.EndsWith(" [netconsole]", lines[2], StringComparison.Ordinal);
    }

    [Fact]
    public void Sym_says_which_word_is_unknown()
    {
        (int exit, string output, string error) = Run("sym", Dump, "no_such_thing", "jiffies_64");
        Assert.Equal(1, exit);
        Assert.EndsWith(") jiffies_64\n", output, StringComparison.Ordinal);
        Assert.StartsWith("netdump: no_such_thing: no symbol", error, StringComparison.Ordinal);
        Assert.Equal(2, Run("sym", Dump).Exit);
    }

    [Fact]
    public void Sym_searches_by_a_part_a_pattern_and_in_a_module()
    {
        string output = Run("sym", Dump, "--grep", "sysrq_handle_cr").Output;
        Assert.Contains("(t) sysrq_handle_crash\n", output, StringComparison.Ordinal);
        Assert.All(Run("sym", Dump, "--grep", "tcp_*_timer").Output.TrimEnd().Split('\n'), line => Assert.Matches(@"\) tcp_\w+_timer( \[\w+\])?$", line));
        Assert.Equal(74, Run("sym", Dump, "--module", "netconsole").Output.TrimEnd().Split('\n').Length);
        Assert.Equal(1, Run("sym", Dump, "--module", "nothing").Exit);
    }

    [Fact]
    public void Sym_in_JSON()
    {
        JsonElement json = JsonDocument.Parse(Run("sym", Dump, "--json", "ffffffff81890926").Output).RootElement[0];
        Assert.Equal(("sysrq_handle_crash", 0x16, 0x20), (json.GetProperty("name").GetString(), json.GetProperty("offset").GetInt32(), json.GetProperty("size").GetInt32()));
    }

    [Fact]
    public void User21_mod_lists_what_crash_lists()
    {
        (int exit, string output, _) = Run("mod", Dump, "--format", "crash");
        Assert.Equal(0, exit);
        Assert.Equal(File.ReadAllText(SharedData.File("linux-6.1-sysrq-4level", "golden/mod.txt")), output);
        string[] tainting = Run("mod", Dump, "--tainting").Output.TrimEnd().Split('\n');
        Assert.Equal(1 + 11, tainting.Length);
        Assert.All(tainting[1..], line => Assert.Matches(" Live +E( |$)", line));
    }

    [Fact]
    public void Mod_in_JSON_names_the_sources_a_module_was_built_from()
    {
        JsonElement json = JsonDocument.Parse(Run("mod", Dump, "--json").Output).RootElement;
        Assert.Equal(11, json.GetArrayLength());
        JsonElement e1000 = json.EnumerateArray().Single(module => module.GetProperty("name").GetString() == "e1000");
        Assert.Equal((163840, "E"), (e1000.GetProperty("size").GetInt32(), e1000.GetProperty("taint").GetString()));
        Assert.Equal(["netconsole"], json.EnumerateArray().Single(module => module.GetProperty("name").GetString() == "configfs")
            .GetProperty("used_by").EnumerateArray().Select(user => user.GetString()));
    }
}
