using System.Globalization;
using Netdump.Kernel;
using Netdump.Kernel.Tasks;
using Netdump.Kernel.Unwind;

namespace Netdump.Client.Commands;

/// <summary>Prints stacks for people.</summary>
/// <param name="kernel">The kernel.</param>
/// <param name="unwinder">Its stacks.</param>
/// <param name="raw">Whether the words on each stack follow.</param>
internal sealed class StackPrinter(CrashedKernel kernel, Unwinder unwinder, bool raw)
{
    private const int NamesOfGroup = 8;

    /// <summary>Each stack under a line that says whose it is, an empty line between.</summary>
    /// <param name="stacks">The stacks.</param>
    /// <param name="foldsIdle">Whether processors that idled share one line at the end.</param>
    /// <param name="output">Where to.</param>
    public void Write(IReadOnlyList<TaskStack> stacks, bool foldsIdle, TextWriter output)
    {
        var idle = new List<int>();
        var panicking = foldsIdle ? StackSelection.Panicking(kernel, unwinder) : -1;
        var separator = "";
        foreach (var entry in stacks)
        {
            if (foldsIdle && entry is { Task.IsIdle: true, Processor: { } number } && number != panicking && entry.Stack.Frames.All(f => f.Stack == "TASK"))
            {
                idle.Add(number);
                continue;
            }
            output.Write(separator);
            separator = "\n";
            output.Write($"{Title(entry)}\n");
            StackText.Write(kernel, entry.Stack, output);
            if (raw)
                WriteWords(entry, output);
        }
        if (idle.Count > 0)
            output.Write($"{separator}idle: CPU {string.Join(", ", idle)}\n");
        if (stacks.Count == 0)
            output.Write("no such task\n");
    }

    /// <summary>Equal stacks once, the most frequent first.</summary>
    public void WriteGroups(IReadOnlyList<TaskStack> stacks, TextWriter output)
    {
        var separator = "";
        foreach (var group in StackGroup.Of(stacks))
        {
            var names = group.Members.Take(NamesOfGroup).Select(m => m.Task is { } task ? $"{task.Pid} {task.Comm}" : $"CPU {m.Processor}");
            var more = group.Members.Count > NamesOfGroup ? $", and {group.Members.Count - NamesOfGroup} more" : "";
            var oldest = group.Oldest is { } age ? $", oldest {Age(age)}" : "";
            output.Write($"{separator}{group.Members.Count} {(group.Members.Count == 1 ? "task" : "tasks")}{oldest}: {string.Join(", ", names)}{more}\n");
            StackText.Write(kernel, group.Kernel, output);
            separator = "\n";
        }
    }

    /// <summary>The form of crash's <c>bt</c>.</summary>
    public void WriteCrash(IReadOnlyList<TaskStack> stacks, TextWriter output)
    {
        var separator = "";
        foreach (var entry in stacks)
        {
            output.Write(separator);
            separator = "\n";
            if (entry.Task is { } task)
                output.Write($"{CrashTaskText.HeaderOf(task)}\n");
            CrashStackText.Write(kernel, entry.Stack, output);
        }
    }

    private static string Title(TaskStack entry)
    {
        var cpu = entry.Processor is { } number ? $", on CPU {number}" : "";
        if (entry.Task is not { } task)
            return $"CPU {entry.Processor}";
        var age = task.SinceLastRun is { } since ? $", {(entry.Processor is null ? "off" : "on")} the processor for {Age(since)}" : "";
        return $"PID {task.Pid} {task.Comm} ({task.State}{cpu}{age})";
    }

    private static string Age(TimeSpan age) => age.TotalMinutes < 1 ? string.Create(CultureInfo.InvariantCulture, $"{age.TotalSeconds:F3} s")
        : age.TotalDays < 1 ? age.ToString(@"hh\:mm\:ss", CultureInfo.InvariantCulture) : age.ToString(@"d\ \d\a\y\s\ hh\:mm\:ss", CultureInfo.InvariantCulture);

    private void WriteWords(TaskStack entry, TextWriter output)
    {
        if (entry.Stack.Frames.Count == 0 || entry.Stack.Frames[0].Kind == FrameKind.User)
            return;
        var start = (entry.Stack.Frames[0].Sp - 8) & ~7UL;
        var end = entry.Task?.Stack is { } stack && start >= stack && start - stack < unwinder.StackSize ? stack + unwinder.StackSize : start + unwinder.StackSize;
        for (var at = start; at < end && kernel.Memory.TryReadUInt64(at, out var word); at += 8)
        {
            var place = word >> 63 != 0 && kernel.Symbols!.TryResolve(word, out _) ? $"  {StackText.Place(kernel, word, kernel.Symbols.IsText(word))}" : "";
            output.Write($"    {at:x16}: {word:x16}{place}\n");
        }
    }
}
