using System.Globalization;
using Netdump.Kernel;
using Netdump.Kernel.Tasks;

namespace Netdump.Client.Commands;

/// <summary>Tasks in our own form and as JSON.</summary>
internal sealed class PsPrinter(CrashedKernel kernel, bool waits, bool times, bool age, bool files, bool exe)
{
    /// <summary>One task a line.</summary>
    public void Write(IReadOnlyList<KernelTask> tasks, bool asTree, TextWriter output)
    {
        output.WriteLine($"    PID    PPID CPU S {"TASK",-16} {"VSZ KiB",10} {"RSS KiB",10}{(age ? $" {"AGE S",12}" : "")}{(times ? $" {"USER S",10} {"SYSTEM S",10} {"SWITCHES",10}" : "")}  NAME");
        if (asTree)
        {
            WriteTree(tasks, output);
            return;
        }
        foreach (KernelTask task in tasks)
            Write(task, "", output);
    }

    /// <summary>An array of objects.</summary>
    public void WriteJson(IReadOnlyList<KernelTask> tasks) => KernelArgument.WriteJson(json =>
    {
        json.WriteStartArray();
        foreach (KernelTask task in tasks)
        {
            json.WriteStartObject();
            json.WriteNumber("pid", task.Pid);
            json.WriteNumber("tgid", task.Tgid);
            json.WriteNumber("ppid", task.ParentPid);
            json.WriteString("comm", task.Comm);
            json.WriteString("name", task.Name);
            json.WriteString("state", task.State.ToString());
            json.WriteString("address", KernelArgument.Hex(task.Address));
            json.WriteNumber("cpu", task.Processor);
            json.WriteBoolean("on_cpu", task.IsOnProcessor);
            json.WriteBoolean("kernel_thread", task.IsKernelThread);
            json.WriteString("flags", KernelArgument.Hex(task.Flags));
            Number("vsz_kib", task.Memory?.TotalKilobytes);
            Number("rss_kib", task.Memory?.ResidentKilobytes);
            Number("uid", task.UserId);
            Number("last_run_s", task.SinceLastRun?.TotalSeconds);
            Number("user_s", task.UserTime?.TotalSeconds);
            Number("system_s", task.SystemTime?.TotalSeconds);
            json.WriteString("waits_for", task.IsIdle ? null : kernel.Tasks.Waits.Of(task)?.Words);
            Number("lock_owner", kernel.Tasks.Waits.Of(task)?.Lock?.Owner?.Pid);
            json.WriteString("wait_channel", task.IsIdle ? null : kernel.Tasks.Waits.WaitFunctionOf(task));
            if (exe)
                json.WriteString("exe", OpenFile.ProgramOf(kernel, task));
            if (files)
            {
                json.WriteStartObject("files");
                foreach (OpenFile open in OpenFile.Of(kernel, task))
                    json.WriteString(open.Descriptor.ToString(CultureInfo.InvariantCulture), open.Path);
                json.WriteEndObject();
            }
            json.WriteEndObject();

            void Number(string name, double? value)
            {
                if (value is { } number)
                    json.WriteNumber(name, Math.Round(number, 6));
                else
                    json.WriteNull(name);
            }
        }
        json.WriteEndArray();
    });

    private void WriteTree(IReadOnlyList<KernelTask> tasks, TextWriter output)
    {
        ILookup<int, KernelTask> children = tasks.Where(t => t.Pid != 0).ToLookup(t => t.ParentPid);
        HashSet<int> shown = [.. tasks.Select(t => t.Pid)], written = [];
        // Roots are those whose parent is not shown; a stack of our own, since a broken dump's tree may be deep.
        Stack<(KernelTask Task, int Depth)> open = new(tasks.Where(t => t.Pid == 0 || !shown.Contains(t.ParentPid)).Reverse().Select(t => (t, 0)));
        while (open.TryPop(out var next))
        {
            if (next.Task.Pid != 0 && !written.Add(next.Task.Pid))
                continue;
            Write(next.Task, new string(' ', Math.Min(next.Depth, 40) * 2), output);
            // Several idle tasks have PID 0; the first is the parent of init and kthreadd.
            if (next.Task.Pid != 0 || written.Add(0))
                foreach (KernelTask child in children[next.Task.Pid].Reverse())
                    open.Push((child, next.Depth + 1));
        }
    }

    private void Write(KernelTask task, string indent, TextWriter output)
    {
        string name = task.IsIdle || task.IsKernelThread ? $"[{task.Name}]" : task.Comm;
        string ages = age ? string.Create(CultureInfo.InvariantCulture, $" {task.SinceLastRun?.TotalSeconds,12:0.000}") : "";
        string spent = times
            ? string.Create(CultureInfo.InvariantCulture, $" {task.UserTime?.TotalSeconds,10:0.000} {task.SystemTime?.TotalSeconds,10:0.000} {(task.VoluntarySwitches ?? 0) + (task.InvoluntarySwitches ?? 0),10}")
            : "";
        // What blocks a task is what the list is read for; that the others sleep, their state says.
        string wait = (waits || task.State == 'D') && !task.IsIdle && kernel.Tasks.Waits.Of(task) is { } known
            ? $"  {known.Words}{(known.Function is { } function ? $", in {function}" : "")}"
            : "";
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{(task.IsOnProcessor ? '>' : ' ')}{task.Pid,6} {task.ParentPid,7} {task.Processor,3} {task.State} {task.Address:x16} {task.Memory?.TotalKilobytes,10} {task.Memory?.ResidentKilobytes,10}{ages}{spent}  {indent}{name}{(exe && OpenFile.ProgramOf(kernel, task) is { } program ? $"  {program}" : "")}{wait}"));
        if (files)
            foreach (OpenFile open in OpenFile.Of(kernel, task))
                output.WriteLine($"          {open.Descriptor,4}  {open.Address:x16}  {open.Kind,-4}  {open.Path}");
    }
}
