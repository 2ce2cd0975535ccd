using System.Text.Json;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Tasks;

public class TaskListTests
{
    public static TheoryData<string, string> Dumps => new()
    {
        { Crashes.Linux61FourLevel, "linux-6.1-sysrq-4level" },
        { Crashes.Linux61, "linux-6.1-sysrq" },
        { Crashes.Linux73, "linux-7.3-sysrq-full" },
        { Crashes.Arm64, "linux-6.12-arm64-sysrq" },
    };

    /// <summary>The judge is drgn with full debugging information.</summary>
    [Theory]
    [MemberData(nameof(Dumps))]
    public void Item31_Item32_all_tasks_have_the_ids_names_addresses_and_states_that_a_debugger_sees(string path, string folder)
    {
        CrashedKernel kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        using var truth = JsonDocument.Parse(File.ReadAllBytes(SharedData.File(folder, "tasks.json")));
        var expected = truth.RootElement.GetProperty("tasks").EnumerateArray().Select(Described).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(expected, kernel.Tasks.All.Select(t => $"{t.Pid} {t.Comm} {t.Address:x} {t.State}").Order(StringComparer.Ordinal));
        if (truth.RootElement.TryGetProperty("idle", out JsonElement idle))
            Assert.Equal(idle.EnumerateArray().Select(Described), kernel.Tasks.Idle.Select(t => $"{t.Pid} {t.Comm} {t.Address:x} {t.State}"));
        else
            Assert.Equal(["swapper/0", "swapper/1"], kernel.Tasks.Idle.Select(t => t.Comm));
        Assert.Equal(kernel.Tasks.Expected, kernel.Tasks.All.Count);
        Assert.Null(kernel.Tasks.BrokenAt);
        Assert.Empty(kernel.Gaps.All);

        static string Described(JsonElement task) =>
            $"{task.GetProperty("pid").GetInt32()} {task.GetProperty("comm").GetString()} {task.GetProperty("addr").GetString()![2..]} {task.GetProperty("state").GetString()}";
    }
}
