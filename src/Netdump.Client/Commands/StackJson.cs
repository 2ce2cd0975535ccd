using System.Text;
using System.Text.Json;
using Netdump.Kernel;
using Netdump.Kernel.Unwind;

namespace Netdump.Client.Commands;

/// <summary>Stacks as JSON: an array of tasks, or of groups of tasks with equal stacks. Addresses are strings, <c>0x</c> and hexadecimal digits.</summary>
internal static class StackJson
{
    public static string Write(CrashedKernel kernel, IReadOnlyList<TaskStack> stacks, bool isGrouped)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartArray();
            if (isGrouped)
                foreach (var group in StackGroup.Of(stacks))
                    WriteGroup(json, kernel, group);
            else
                foreach (var entry in stacks)
                    WriteTask(json, kernel, entry);
            json.WriteEndArray();
        }
        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private static void WriteGroup(Utf8JsonWriter json, CrashedKernel kernel, StackGroup group)
    {
        json.WriteStartObject();
        json.WriteNumber("count", group.Members.Count);
        if (group.Oldest is { } age)
            json.WriteNumber("oldest_s", age.TotalSeconds);
        json.WriteStartArray("pids");
        foreach (var member in group.Members)
            if (member.Task is { } task)
                json.WriteNumberValue(task.Pid);
        json.WriteEndArray();
        WriteStack(json, kernel, group.Kernel);
        json.WriteEndObject();
    }

    private static void WriteTask(Utf8JsonWriter json, CrashedKernel kernel, TaskStack entry)
    {
        json.WriteStartObject();
        if (entry.Task is { } task)
        {
            json.WriteNumber("pid", task.Pid);
            json.WriteNumber("tgid", task.Tgid);
            json.WriteString("comm", task.Comm);
            json.WriteString("address", $"0x{task.Address:x}");
            json.WriteString("state", task.State.ToString());
            if (task.SinceLastRun is { } since)
                json.WriteNumber("last_run_s", since.TotalSeconds);
        }
        if (entry.Processor is { } cpu)
            json.WriteNumber("cpu", cpu);
        WriteStack(json, kernel, entry.Stack);
        json.WriteEndObject();
    }

    private static void WriteStack(Utf8JsonWriter json, CrashedKernel kernel, KernelStack stack)
    {
        if (stack.Stopped is not null)
            json.WriteString("stopped", stack.Stopped);
        json.WriteStartArray("frames");
        for (var i = 0; i < stack.Frames.Count; i++)
        {
            var frame = stack.Frames[i];
            json.WriteStartObject();
            json.WriteString("pc", $"0x{frame.Pc:x}");
            json.WriteString("sp", $"0x{frame.Sp:x}");
            if (frame.Kind != FrameKind.User && kernel.Symbols is { } symbols && symbols.TryResolve(frame.Lookup, out var match))
            {
                json.WriteString("symbol", match.Name);
                json.WriteNumber("offset", frame.Pc - match.Start);
                if (match.Module is not null)
                    json.WriteString("module", match.Module);
            }
            json.WriteString("kind", KindOf(frame.Kind));
            json.WriteBoolean("reliable", frame.IsReliable);
            if (frame.Stack is not null)
                json.WriteString("stack", frame.Stack);
            if (i > 0 && StackText.Interruption(kernel, stack, i) is { } what)
                json.WriteString("interrupted_by", what);
            if (stack.RegistersAt(i) is { } registers)
            {
                json.WriteStartObject("registers");
                foreach (var (name, value) in registers.All)
                    json.WriteString(name, $"0x{value:x}");
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static string KindOf(FrameKind kind) => kind switch
    {
        FrameKind.Call => "call",
        FrameKind.Registers => "registers",
        FrameKind.User => "user",
        FrameKind.Recovered => "recovered",
        _ => "guess",
    };
}
