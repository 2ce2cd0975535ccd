using System.CommandLine;
using System.Globalization;
using Netdump.Kernel;
using Netdump.Kernel.Tasks;

namespace Netdump.Client.Commands;

/// <summary><c>netdump runq</c>: what wanted each processor.</summary>
internal static class RunqCommand
{
    private const string Examples = """
        netdump runq vmcore
        netdump runq vmcore --json | jq '.[] | select(.running > 4)'
        netdump runq vmcore --format crash
        """;

    public static Command Create()
    {
        var file = DumpArgument.Create("FILE");
        var (format, json) = (KernelArgument.Format(), KernelArgument.Json());
        var command = new CommandWithExamples("runq", "Prints what each processor ran, since when, and what waited for it.", Examples) { file, format, json };
        command.SetAction(p =>
        {
            using var dump = DumpArgument.Open(p.GetRequiredValue(file));
            CrashedKernel kernel = KernelArgument.Open(dump, p.GetRequiredValue(file));
            IReadOnlyList<RunQueue> queues = kernel.Tasks.RunQueues;
            if (queues.Count == 0)
                throw KernelArgument.Absent(kernel, "run queues");
            if (p.GetValue(json))
                WriteJson(queues);
            else if (p.GetValue(format) is not null)
                CrashTaskText.WriteRunQueues(queues, Console.Out);
            else
                Write(queues, Console.Out);
            KernelArgument.TellGaps(kernel);
            return 0;
        });
        return command;
    }

    private static void Write(IReadOnlyList<RunQueue> queues, TextWriter output)
    {
        foreach (RunQueue queue in queues)
        {
            KernelTask? current = queue.Current;
            string since = current is { IsIdle: false, SinceLastRun: { } time } ? string.Create(CultureInfo.InvariantCulture, $" for {time.TotalSeconds:0.000} s") : "";
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"CPU {queue.Processor,-3} {queue.Running} runnable; runs {(current is null ? "?" : $"{current.Comm} (PID {current.Pid})")}{since}"));
            foreach (KernelTask task in queue.RealTimeWaiting.Concat(queue.FairWaiting))
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"          [{task.Priority,3}] {task.Comm} (PID {task.Pid})"));
        }
    }

    private static void WriteJson(IReadOnlyList<RunQueue> queues) => KernelArgument.WriteJson(json =>
    {
        json.WriteStartArray();
        foreach (RunQueue queue in queues)
        {
            json.WriteStartObject();
            json.WriteNumber("cpu", queue.Processor);
            json.WriteString("address", KernelArgument.Hex(queue.Address));
            json.WriteNumber("running", queue.Running);
            if (queue.Current is { } current)
                json.WriteNumber("current", current.Pid);
            json.WriteStartArray("waiting");
            foreach (KernelTask task in queue.RealTimeWaiting.Concat(queue.FairWaiting))
                json.WriteNumberValue(task.Pid);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });
}
