using System.Text.RegularExpressions;
using Netdump.Vmcore;

namespace Netdump.EndToEnd;

/// <summary>
/// The list of tasks that the capture kernel's netdump appends to the log, beside what the kernel itself printed for <c>echo t > /proc/sysrq-trigger</c>
/// just before it crashed.
/// </summary>
/// <remarks>
/// What may differ: tasks that ran in between, which the judge tells by when each last came to a processor; those that were awake when the kernel printed
/// them, or had been woken when it crashed; tasks that ended or began in between; times before the lines. Nothing else: words with a question mark are
/// compared, too.
/// </remarks>
public sealed partial class TaskListTests(CrashedGuests guests)
{
    private const ulong ClockError = 10_000_000; // ns between the log's clock and the scheduler's: a tick and more

    private readonly Analysis _analysis = new(guests);

    [Theory]
    [InlineData("6.1")]
    [InlineData("6.12")]
    [InlineData("newest")]
    public void The_list_of_tasks_is_line_for_line_what_the_kernel_printed_for_sysrq_t(string series)
    {
        CrashedGuest guest = guests.Of(series);
        (Dictionary<int, string[]> printed, ulong began) = PrintedByKernel(guest.Vmcore);
        Dictionary<int, string[]> own = TasksOf(OwnLines(File.ReadAllLines(guest.Log)));
        Dictionary<int, (ulong Arrival, string State)> judged = _analysis.Drgn(guest).GetProperty("tasks").EnumerateArray().ToDictionary(
            task => task.GetProperty("pid").GetInt32(), task => (task.GetProperty("last_arrival").GetUInt64(), task.GetProperty("state").GetString()!));
        Assert.Equal(judged.Keys.Order(), own.Keys.Order());

        // A task that was on a processor when the kernel printed it has gone on since.
        int[] asleep = [.. printed.Keys.Where(pid =>
            !IsAwake(printed[pid]) && judged.TryGetValue(pid, out var then) && then.State != "R" && then.Arrival < began - ClockError)];
        Assert.All(asleep, pid => Assert.Equal(printed[pid], own[pid]));
        Assert.InRange(asleep.Length, judged.Count * 2 / 3, judged.Count);
        Assert.InRange(asleep.Sum(pid => printed[pid].Length), asleep.Length * 10, asleep.Length * 100);
    }

    // From the head line that SysRq-t has the kernel print, with its time, out of the dead kernel's ring.
    private static (Dictionary<int, string[]> Tasks, ulong Began) PrintedByKernel(string vmcore)
    {
        using VmcoreFile dump = VmcoreFile.Open(vmcore);
        (ulong Time, string Text)[] log = [.. dump.ReadLog().Select(record => (record.Nanoseconds, System.Text.Encoding.UTF8.GetString(record.Text.Span)))];
        int head = Array.FindIndex(log, record => record.Text == "sysrq: Show State");
        Assert.True(head >= 0, "the guest's log has no SysRq-t");
        return (TasksOf(log.Skip(head).SelectMany(record => record.Text.Split('\n'))), log[head].Time);
    }

    // Lines of the dead kernel have their time before them.
    private static IEnumerable<string> OwnLines(IEnumerable<string> log) => log.SkipWhile(line => !line.StartsWith("netdump: signature ", StringComparison.Ordinal));

    // A task begins with its line and ends with its stack.
    private static Dictionary<int, string[]> TasksOf(IEnumerable<string> lines)
    {
        Dictionary<int, string[]> tasks = [];
        List<string>? task = null;
        foreach (string line in lines)
        {
            if (line.StartsWith("task:", StringComparison.Ordinal)) task = [];
            task?.Add(line);
            if (line != " </TASK>" || task is null) continue;
            tasks.Add(int.Parse(Pid().Match(task[0]).Groups[1].ValueSpan), [.. task]);
            task = null;
        }
        return tasks;
    }

    private static bool IsAwake(string[] task) => task[0].Contains(" state:R", StringComparison.Ordinal);

    [GeneratedRegex(@" pid:(\d+)")]
    private static partial Regex Pid();
}
