using System.Text.Json;
using Netdump.Vmcore.Tests;

namespace Netdump.EndToEnd;

/// <summary>A task as an analysis tells it.</summary>
/// <param name="Pid">Thread id.</param>
/// <param name="Tgid">Its process.</param>
/// <param name="ParentPid">The process that made it.</param>
/// <param name="Comm">Its name; bytes that cannot be printed are U+FFFD.</param>
/// <param name="State">The letter of ps.</param>
/// <param name="Address">Of its task_struct, in hexadecimal.</param>
/// <param name="Stack">Program counters from the innermost, without those of inlined functions.</param>
public sealed record AnalysedTask(int Pid, int Tgid, int ParentPid, string Comm, string State, string Address, string[] Stack)
{
    /// <summary>What it is without its stack, in one line.</summary>
    public string Line => $"{Pid} {Tgid} {ParentPid} {Comm} {State} {Address}";
}

/// <summary>What is said of a dump by `netdump report`, from the dump alone, and by drgn, with all debug information.</summary>
public sealed class Analysis(CrashedGuests guests)
{
    /// <summary>`netdump report --json`.</summary>
    public JsonElement Report(string vmcore) =>
        Json(guests.Remember($"report {vmcore}", () => Command.Succeed(Workspace.Client, "report", "--json", vmcore)));

    /// <summary>tests/judges/tasks.py.</summary>
    public JsonElement Drgn(CrashedGuest guest)
    {
        string[] module = File.Exists(guest.Module) ? ["-s", guest.Module] : [];
        return Json(guests.Remember($"drgn {guest.Vmcore}", () => Command.Succeed(Judges.Drgn,
            ["-q", "-c", guest.Vmcore, "-s", guest.Kernel.VmlinuxWithSymbols, .. module, Path.Combine(Workspace.Root, "tests/judges/tasks.py")])));
    }

    /// <summary>The tasks that `netdump report` lists, idle ones aside, by process id.</summary>
    public static AnalysedTask[] TasksOfReport(JsonElement report) => Tasks(report.GetProperty("tasks"), "address", static frame => frame.GetProperty("pc").GetString()!, static _ => false);

    /// <summary>The tasks that drgn lists.</summary>
    public static AnalysedTask[] TasksOfDrgn(JsonElement said) => Tasks(said.GetProperty("tasks"), "addr", static frame => frame[0].GetString()!, static frame => frame[2].GetBoolean());

    /// <summary>The tasks of a tasks.json that lies beside a shared dump: what drgn said of it, an inlined frame having the program counter of the one it is in.</summary>
    public static AnalysedTask[] TasksOfRecording(JsonElement recording) =>
        [.. recording.GetProperty("tasks").EnumerateArray().Select(task => new AnalysedTask(
            task.GetProperty("pid").GetInt32(), 0, 0, task.GetProperty("comm").GetString()!, task.GetProperty("state").GetString()!, task.GetProperty("addr").GetString()!,
            [.. task.GetProperty("stack").EnumerateArray().Zip(task.GetProperty("inline").EnumerateArray()).Where(frame => !frame.Second.GetBoolean()).Select(frame => frame.First[1].GetString()!)]))
            .OrderBy(task => task.Pid)];

    private static AnalysedTask[] Tasks(JsonElement list, string address, Func<JsonElement, string> pc, Func<JsonElement, bool> isInlined) =>
        [.. list.EnumerateArray().Where(task => task.GetProperty("pid").GetInt32() != 0).Select(task => new AnalysedTask(
            task.GetProperty("pid").GetInt32(), task.GetProperty("tgid").GetInt32(), task.GetProperty("ppid").GetInt32(),
            string.Concat(task.GetProperty("comm").GetString()!.Select(c => char.IsControl(c) ? '\ufffd' : c)),
            task.GetProperty("state").GetString()!, task.GetProperty(address).GetString()!,
            [.. task.GetProperty("stack").EnumerateArray().Where(frame => !isInlined(frame)).Select(pc)])).OrderBy(task => task.Pid)];

    // The first line that begins an object: drgn warns on standard error.
    private static JsonElement Json(string output) => JsonDocument.Parse(output[output.IndexOf('{', StringComparison.Ordinal)..]).RootElement;
}
