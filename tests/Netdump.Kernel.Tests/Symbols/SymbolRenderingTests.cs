using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Symbols;

public partial class SymbolRenderingTests
{
    public static TheoryData<string, string, int> Logs => new()
    {
        { "linux-6.1-sysrq", Crashes.Linux61, 15 },
        { "linux-6.1-sysrq-4level", Crashes.Linux61FourLevel, 25 },
        { "linux-7.3-sysrq-full", Crashes.Linux73, 15 },
        { "linux-6.12-arm64-sysrq", Crashes.Arm64, 15 },
    };

    public static TheoryData<string, string> Judged => new()
    {
        { "linux-6.1-sysrq-4level", Crashes.Linux61FourLevel },
        { "linux-7.3-sysrq-full", Crashes.Linux73 },
    };

    [Theory]
    [MemberData(nameof(Logs))]
    public void Item6_each_line_of_a_call_trace_in_the_log_comes_out_of_its_address(string crash, string path, int fewest)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        var symbols = kernel.Symbols!;
        var count = 0;
        foreach (var line in File.ReadLines(SharedData.File(crash, "dmesg.txt")))
        {
            if (TraceLine().Match(line) is not { Success: true } found)
                continue;
            var offset = ulong.Parse(found.Groups["offset"].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            Assert.Contains(
                found.Groups["all"].Value, symbols.FindAll(found.Groups["name"].Value).Select(start => symbols.Render(start + offset, isReturnAddress: offset > 0)));
            count++;
        }
        Assert.True(count >= fewest, $"{count} lines");
    }

    [Theory]
    [MemberData(nameof(Judged))]
    public void Item6_program_counters_of_all_stacks_have_the_names_that_drgn_gives_them(string crash, string path)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        using var judged = JsonDocument.Parse(File.ReadAllBytes(SharedData.File(crash, "tasks.json")));
        var count = 0;
        foreach (var task in judged.RootElement.GetProperty("tasks").EnumerateArray())
        {
            if (task.GetProperty("state").GetString() == "Z")
                continue; // its stack is garbage
            var names = task.GetProperty("symbol");
            var stack = task.GetProperty("stack");
            for (var i = 0; i < stack.GetArrayLength(); i++)
            {
                if (names[i].GetString() is not { } name)
                    continue;
                var pc = Convert.ToUInt64(stack[i][1].GetString(), 16);
                var rendered = kernel.Symbols!.Render(pc, isReturnAddress: true);
                // drgn names aliases otherwise: it is enough that its symbol starts where ours does.
                var plus = name.LastIndexOf("+0x", StringComparison.Ordinal);
                if (name.StartsWith("entry_SYSCALL_64+", StringComparison.Ordinal))
                {
                    // drgn takes the sizes of the ELF symbols, which nest here; the kernel's own rule is the next symbol.
                    Assert.StartsWith("entry_SYSCALL_64_after_hwframe+", rendered, StringComparison.Ordinal);
                    continue;
                }
                Assert.Contains(pc - Convert.ToUInt64(name[(plus + 1)..], 16), kernel.Symbols.FindAll(rendered[..rendered.LastIndexOf("+0x", StringComparison.Ordinal)]));
                count++;
            }
        }
        Assert.True(count > 100);
    }

    [Fact]
    public void Item6_a_return_address_behind_the_end_of_a_function_belongs_to_that_function()
    {
        var kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        Assert.True(kernel.Symbols!.TryFind("sysrq_handle_crash", out var start));
        Assert.True(kernel.Symbols.TryResolve(start, out var match));
        Assert.Equal(0x20UL, match.Size);
        Assert.Equal("sysrq_handle_crash+0x20/0x20", kernel.Symbols.Render(start + 0x20, isReturnAddress: true));
        Assert.DoesNotContain("sysrq_handle_crash", kernel.Symbols.Render(start + 0x20, isReturnAddress: false));
    }

    [Fact]
    public void Item10_what_lies_in_the_init_sections_is_known_to_be_gone()
    {
        var kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        Assert.True(kernel.Symbols!.TryFind("dmi_ids_string", out var gone) && kernel.Symbols.IsFreed(gone));
        Assert.True(kernel.Symbols.TryFind("__start___bug_table", out var kept) && !kernel.Symbols.IsFreed(kept));
    }

    [GeneratedRegex(@"^\[ *[0-9.]+\](?: \[ *[TC]\d+\])?  (?:\? |pc : |lr : )?(?<all>(?<name>[\w.]+)\+0x(?<offset>[0-9a-f]+)/0x[0-9a-f]+(?: \[\w+\])?)$")]
    private static partial Regex TraceLine();
}
