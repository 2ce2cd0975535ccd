using System.Globalization;
using System.Text.Json;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Unwind;

/// <summary>A task as another tool with full debugging information saw it.</summary>
/// <param name="Pid">Its process number; 0 for an idle task.</param>
/// <param name="Comm">Its name.</param>
/// <param name="Address">Address of its task_struct.</param>
/// <param name="State">The letter ps shows.</param>
/// <param name="Pcs">Program counters from the innermost, each once: an inlined function has its caller's.</param>
internal sealed record GoldenTask(int Pid, string Comm, ulong Address, string State, IReadOnlyList<ulong> Pcs)
{
    /// <summary>Reads the tasks.json beside a dump: the tasks, then the idle ones where it has them.</summary>
    public static IReadOnlyList<GoldenTask> Read(string folder)
    {
        using var file = JsonDocument.Parse(File.ReadAllBytes(SharedData.File(folder, "tasks.json")));
        var tasks = new List<GoldenTask>();
        foreach (var section in (ReadOnlySpan<string>)["tasks", "idle"])
            if (file.RootElement.TryGetProperty(section, out var list))
                foreach (var task in list.EnumerateArray())
                    tasks.Add(Of(task));
        return tasks;
    }

    private static GoldenTask Of(JsonElement task)
    {
        var pcs = new List<ulong>();
        foreach (var frame in task.GetProperty("stack").EnumerateArray())
        {
            var pc = Hex(frame[1].GetString()!);
            if (pcs.Count == 0 || pcs[^1] != pc)
                pcs.Add(pc);
        }
        var state = task.TryGetProperty("state", out var letter) ? letter.GetString()! : "";
        var pid = task.TryGetProperty("pid", out var number) ? number.GetInt32() : 0;
        var comm = task.TryGetProperty("comm", out var name) ? name.GetString()! : "";
        return new GoldenTask(pid, comm, Hex(task.GetProperty("addr").GetString()!), state, pcs);
    }

    private static ulong Hex(string text) => ulong.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
