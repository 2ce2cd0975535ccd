using System.CommandLine;
using Netdump.Kernel;

namespace Netdump.Client.Commands;

/// <summary><c>netdump bt</c>: the stacks of a dead kernel's tasks.</summary>
internal static class BtCommand
{
    private const string Examples = """
        netdump bt vmcore                               the task that panicked
        netdump bt vmcore 1 130                         these tasks
        netdump bt vmcore --all-cpus                    what every processor was doing
        netdump bt vmcore --state D --group             what blocked tasks wait in, equal stacks merged
        netdump bt vmcore --all-tasks --json | jq '.[] | select(.stopped)'
        netdump bt vmcore --all-tasks --format crash    as crash prints foreach bt
        """;

    public static Command Create()
    {
        var file = DumpArgument.Create("FILE");
        var pids = new Argument<int[]>("PID") { Description = "Tasks by process id; without any, the one that panicked", Arity = ArgumentArity.ZeroOrMore };
        var allProcessors = new Option<bool>("--all-cpus", "-a") { Description = "What each processor was doing, idle ones in one line" };
        var cpu = new Option<int?>("--cpu", "-c") { Description = "What this processor was doing", HelpName = "N" };
        var allTasks = new Option<bool>("--all-tasks") { Description = "Every task, idle ones first" };
        var state = new Option<string?>("--state") { Description = "Every task in one of these states (letters of ps: R S D I T Z ...)", HelpName = "LETTERS" };
        var group = new Option<bool>("--group") { Description = "Merge equal stacks: how many tasks have it, who, and the longest wait" };
        var raw = new Option<bool>("--raw") { Description = "Also the words on the stack, with the symbols they point to" };
        var json = new Option<bool>("--json") { Description = "For programs" };
        var format = new Option<string>("--format", "-f")
        {
            Description = "Our own form, or that of the crash utility",
            HelpName = "text|crash",
            DefaultValueFactory = _ => "text",
        };
        format.AcceptOnlyFromAmong(StringComparer.Ordinal, "text", "crash");
        var command = new CommandWithExamples(
            "bt", "Prints the call stacks of the dead kernel's tasks, found by nothing but what is in the dump. A ? marks frames that are guesses.", Examples)
        {
            file, pids, allProcessors, cpu, allTasks, state, group, raw, json, format,
        };
        command.Validators.Add(r =>
        {
            if (r.GetValue(format) == "crash" && (r.GetValue(json) || r.GetValue(group) || r.GetValue(raw)))
                r.AddError("--format crash stands alone: leave --json, --group and --raw out.");
        });
        command.SetAction(p =>
        {
            var path = p.GetRequiredValue(file);
            using var dump = DumpArgument.Open(path);
            var kernel = DumpArgument.Explain(path, () => new CrashedKernel(dump));
            if (kernel.Unwinder is not { } unwinder)
                throw new ClientException($"{path}: {Reason(kernel)}", "netdump dmesg shows the stacks that the kernel printed itself");
            var wanted = new StackSelection(p.GetValue(pids) ?? [], p.GetValue(allProcessors), p.GetValue(cpu), p.GetValue(allTasks), p.GetValue(state), p.GetValue(group));
            var stacks = DumpArgument.Explain(path, () => wanted.Of(kernel, unwinder));
            var printer = new StackPrinter(kernel, unwinder, p.GetValue(raw));
            if (p.GetValue(json))
                Console.Out.WriteLine(StackJson.Write(kernel, stacks, p.GetValue(group)));
            else if (p.GetValue(group))
                printer.WriteGroups(stacks, Console.Out);
            else if (p.GetValue(format) == "crash")
                printer.WriteCrash(stacks, Console.Out);
            else
                printer.Write(stacks, foldsIdle: p.GetValue(allProcessors), Console.Out);
            return 0;
        });
        return command;
    }

    private static string Reason(CrashedKernel kernel) => kernel.Gaps.All.Select(g => $"{g.Key}: {g.Value}").FirstOrDefault() ?? "no stacks can be read";
}
