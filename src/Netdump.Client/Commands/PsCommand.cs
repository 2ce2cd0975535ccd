using System.CommandLine;
using System.Globalization;
using Netdump.Kernel;
using Netdump.Kernel.Tasks;

namespace Netdump.Client.Commands;

/// <summary><c>netdump ps</c>: the dead kernel's tasks.</summary>
internal static class PsCommand
{
    private const string Examples = """
        netdump ps vmcore                            one task a line, and what the blocked ones wait for
        netdump ps vmcore --state D --age            blocked tasks, since when, and who holds what they wait for
        netdump ps vmcore 1 257                      two tasks, and what they wait for
        netdump ps vmcore --sort rss --leaders | head
        netdump ps vmcore --tree 1
        netdump ps vmcore 130 --files                what a process had open
        netdump ps vmcore --age --format crash       as crash prints ps -m; --states as ps -S, --times as ps -t
        netdump ps vmcore --json | jq '.[] | select(.waits_for) | .comm, .waits_for'
        """;

    public static Command Create()
    {
        var file = DumpArgument.Create("FILE");
        var pids = new Argument<int[]>("PID") { Description = "These tasks; all without", Arity = ArgumentArity.ZeroOrMore };
        var state = new Option<string?>("--state") { Description = "Those in one of these states (letters, or crash's words RU IN UN ...)", HelpName = "LETTERS" };
        var states = new Option<bool>("--states") { Description = "How many tasks are in each state" };
        var onProcessor = new Option<bool>("--on-cpu") { Description = "Those that were on a processor" };
        var leaders = new Option<bool>("--leaders") { Description = "Processes alone, without their further threads" };
        var tree = new Option<bool>("--tree") { Description = "Parents with their children below them; with PID that part of the tree" };
        var times = new Option<bool>("--times") { Description = "With times in user and system mode, and switches" };
        var age = new Option<bool>("--age") { Description = "With the time since each got a processor, the latest first" };
        var reverse = new Option<bool>("--reverse") { Description = "The other way round" };
        var sort = new Option<string?>("--sort") { Description = "By resident memory, the greatest first, or by PID", HelpName = "rss|pid" };
        sort.AcceptOnlyFromAmong(StringComparer.Ordinal, "rss", "pid");
        var files = new Option<bool>("--files") { Description = "With the files that are open" };
        var exe = new Option<bool>("--exe") { Description = "With the path of the program; its arguments are in user memory, which a filtered dump does not have" };
        var (format, json) = (KernelArgument.Format(), KernelArgument.Json());
        var command = new CommandWithExamples("ps", "Prints the dead kernel's tasks: > marks those on a processor, [] kernel threads.", Examples)
        {
            file, pids, state, states, onProcessor, leaders, tree, times, age, reverse, sort, files, exe, format, json,
        };
        command.Validators.Add(r =>
        {
            foreach (string word in (r.GetValue(state) ?? "").Split(','))
                if (word.Length > 0 && TaskState.Parse(word) is null && word.Any(c => TaskState.Parse(c.ToString()) is null))
                    r.AddError($"'{word}' is no state: letters as R S D I T t Z X, or RU IN UN ID ST TR ZO DE.");
        });
        command.SetAction(p =>
        {
            using var dump = DumpArgument.Open(p.GetRequiredValue(file));
            CrashedKernel kernel = KernelArgument.Open(dump, p.GetRequiredValue(file));
            if (kernel.Tasks.All.Count == 0)
                throw KernelArgument.Absent(kernel, "tasks");
            if (p.GetValue(states))
            {
                if (p.GetValue(format) is not null)
                    CrashTaskText.WriteStates(CrashTaskText.Ordered(kernel.Tasks), Console.Out);
                else
                    WriteStates(kernel.Tasks, p.GetValue(json));
                return 0;
            }
            List<KernelTask> tasks = Select(kernel.Tasks, p.GetValue(pids) ?? [], p.GetValue(state), p.GetValue(onProcessor), p.GetValue(leaders), p.GetValue(tree));
            if (p.GetValue(age))
                tasks = [.. CrashTaskText.ByArrival(tasks)];
            else if (p.GetValue(sort) == "rss")
                tasks = [.. tasks.OrderByDescending(t => t.Memory?.ResidentPages ?? 0)];
            if (p.GetValue(reverse))
                tasks.Reverse();
            PsPrinter printer = new(kernel, (p.GetValue(pids) ?? []).Length > 0 && !p.GetValue(tree), p.GetValue(times), p.GetValue(age), p.GetValue(files), p.GetValue(exe));
            if (p.GetValue(json))
                printer.WriteJson(tasks);
            else if (p.GetValue(format) is null)
                printer.Write(tasks, p.GetValue(tree), Console.Out);
            else if (p.GetValue(age))
                CrashTaskText.WriteAges(tasks, Console.Out);
            else if (p.GetValue(times))
                CrashTaskText.WriteTimes(CrashTaskText.ByStart(tasks), kernel.Facts.Clock.TickUptime ?? TimeSpan.Zero, Console.Out);
            else
                CrashTaskText.WritePs(tasks, (long)(kernel.Facts.Memory.PresentPages ?? 0), Console.Out);
            KernelArgument.TellGaps(kernel);
            return 0;
        });
        return command;
    }

    private static List<KernelTask> Select(TaskList list, int[] pids, string? state, bool onProcessor, bool leaders, bool tree)
    {
        foreach (int pid in pids)
            if (list.Find(pid) is null)
                throw new ClientException($"no task had the process id {pid}", "netdump ps FILE lists them");
        HashSet<char> letters = [.. (state ?? "").Split(',').SelectMany(w => w.Length == 0 ? [] : TaskState.Parse(w) is { } one ? [one] : w.Select(c => TaskState.Parse(c.ToString())!.Value))];
        IEnumerable<KernelTask> tasks = CrashTaskText.Ordered(list);
        if (pids.Length > 0)
            tasks = tree ? tasks.Where(t => pids.Any(pid => IsBelow(list, t, pid))) : tasks.Where(t => pids.Contains(t.Pid));
        return [.. tasks.Where(t => (letters.Count == 0 || letters.Contains(t.State)) && (!onProcessor || t.IsOnProcessor) && (!(leaders || tree) || t.IsLeader))];
    }

    private static bool IsBelow(TaskList list, KernelTask task, int ancestor)
    {
        // A chain of parents that goes round is a broken dump's.
        for (int steps = 0; steps < 1024; steps++)
        {
            if (task.Pid == ancestor)
                return true;
            if (task.Pid == 0 || list.Find(task.ParentPid) is not { } parent || parent.Pid == task.Pid)
                return false;
            task = parent;
        }
        return false;
    }

    private static void WriteStates(TaskList tasks, bool asJson)
    {
        if (asJson)
        {
            KernelArgument.WriteJson(json =>
            {
                json.WriteStartObject();
                foreach (var (letter, count) in tasks.CountStates())
                    json.WriteNumber(letter.ToString(), count);
                json.WriteEndObject();
            });
            return;
        }
        foreach (var (letter, count) in tasks.CountStates())
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{count,7}  {letter}  {TaskState.Describe(letter)}"));
    }
}
