using Netdump.Server.Options;
using Netdump.Server.Store;
using Netdump.Server.Tests.Storage;
using Netdump.Server.Triage;

namespace Netdump.Server.Tests.Triage;

/// <summary>The queue with scripts in the place of netdump: what they do to it, whatever a dump made them do.</summary>
public sealed class AnalysisQueueTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly string _root = Directory.CreateTempSubdirectory("netdump-triage-").FullName;
    private readonly LogLines _log = new();
    private readonly BackgroundWork _work = new();

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private AnalysisQueue Queue(string script, Func<ServerOptions, ServerOptions>? change = null)
    {
        string program = Path.Combine(_root, "analyser");
        ExecutableFile.Write(program, "#!/bin/sh\n" + script);
        ServerOptions options = new() { Analyser = program };
        return new AnalysisQueue(new LiveOptions(change?.Invoke(options) ?? options), _work, _log);
    }

    private CrashDirectory Crash(string name = "192.0.2.1-2026-11-25-10:00", string dump = VmcoreWriter.CompleteName)
    {
        CrashDirectory crash = new(Directory.CreateDirectory(Path.Combine(_root, "store", name)).FullName);
        File.WriteAllText(crash.File(dump), "dump");
        return crash;
    }

    private static Task Done(Task task) => task.WaitAsync(Limit, TestContext.Current.CancellationToken);

    [Theory]
    [InlineData(VmcoreWriter.CompleteName)]
    [InlineData(VmcoreWriter.IncompleteName)]
    public async Task A_dump_is_analysed_by_the_program_and_its_answer_logged(string dump)
    {
        using AnalysisQueue queue = Queue("echo \"$1 $2\" > \"$2/report.json\"; env > \"$2/env\"; pwd > \"$2/pwd\"; echo first; echo 'a title (0123)'");
        CrashDirectory crash = Crash(dump: dump);
        await Done(queue.Add(crash));
        Assert.Equal($"analyse {crash.Path}\n", await File.ReadAllTextAsync(crash.File("report.json"), TestContext.Current.CancellationToken));
        Assert.Contains($"{crash.Path}: a title (0123)", Assert.Single(_log.Lines), StringComparison.Ordinal);
        // Nothing of the server's environment, which may hold secrets, but what the shell itself adds.
        Assert.DoesNotContain("HOME=", await File.ReadAllTextAsync(crash.File("env"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        // Bytes in hexadecimal without 0x: so the runtime reads it.
        Assert.Contains("DOTNET_GCHeapHardLimit=20000000\n", await File.ReadAllTextAsync(crash.File("env"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal(crash.Path + "\n", await File.ReadAllTextAsync(crash.File("pwd"), TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("echo ignored >&2; printf 'no\\033[31m dump\\n' >&2; exit 1", "not analysed: no?[31m dump;")]
    [InlineData("kill -SEGV $$", "not analysed: the analysis ended with status 139;")]
    [InlineData("exit 3", "not analysed: the analysis ended with status 3;")]
    public async Task A_dump_that_ends_the_program_costs_one_line(string script, string line)
    {
        using AnalysisQueue queue = Queue(script);
        await Done(queue.Add(Crash()));
        Assert.Contains(line, Assert.Single(_log.Lines), StringComparison.Ordinal);
        Assert.Equal(1, _log.Count(351));
    }

    [Fact]
    public async Task A_program_that_talks_for_ever_is_cut_short()
    {
        using AnalysisQueue queue = Queue("yes | head -c 20000000; exit 0");
        await Done(queue.Add(Crash()));
        Assert.InRange(Assert.Single(_log.Lines).Length, 1, 1000);
    }

    [Fact]
    public async Task An_analysis_that_takes_too_long_is_killed()
    {
        using AnalysisQueue queue = Queue("exec sleep 600", o => o with { AnalysisTimeout = TimeSpan.FromSeconds(1) });
        await Done(queue.Add(Crash()));
        Assert.Contains("not done after 1 s", Assert.Single(_log.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_end_of_the_server_kills_what_runs_without_a_complaint()
    {
        AnalysisQueue queue = Queue("touch \"$2/began\"; exec sleep 600");
        CrashDirectory crash = Crash();
        Task analysis = queue.Add(crash);
        Task waiting = queue.Add(crash);
        Assert.True(SpinWait.SpinUntil(() => File.Exists(crash.File("began")), Limit));
        queue.Dispose();
        await Done(Task.WhenAll(analysis, waiting));
        Assert.Empty(_log.Lines);
    }

    [Fact]
    public async Task No_more_run_at_once_than_allowed()
    {
        using AnalysisQueue queue = Queue(
            "mkdir \"$2/../lock\" || echo twice >> \"$2/../twice\"; sleep 0.05; rmdir \"$2/../lock\"; echo done >> \"$2/../done\"");
        await Done(Task.WhenAll(Enumerable.Range(0, 6).Select(i => queue.Add(Crash($"192.0.2.{i}-2026-11-25-10:00")))));
        Assert.False(File.Exists(Path.Combine(_root, "store", "twice")));
        Assert.Equal(6, File.ReadLines(Path.Combine(_root, "store", "done")).Count());
    }

    [Fact]
    public async Task What_an_earlier_process_left_is_made_up_for_and_dumps_being_received_are_left_alone()
    {
        CrashDirectory whole = Crash(), broken = Crash("192.0.2.2-2026-11-25-10:00", VmcoreWriter.IncompleteName);
        CrashDirectory known = Crash("192.0.2.3-2026-11-25-10:00"), open = Crash("192.0.2.4-2026-11-25-10:00", VmcoreWriter.IncompleteName);
        CrashDirectory empty = new(Directory.CreateDirectory(Path.Combine(_root, "store", "192.0.2.5-2026-11-25-10:00")).FullName);
        File.WriteAllText(known.File(AnalysisQueue.ReportName), "known");
        SessionFile.Write(open, SessionFileTests.Header(16) with { State = SessionState.Receiving });
        using AnalysisQueue queue = Queue("echo here > \"$2/report.json\"");
        queue.Resume(new CrashStore(Path.Combine(_root, "store"), TimeProvider.System));
        Assert.True(_work.Wait(Limit));
        Assert.Equal("here\n", await File.ReadAllTextAsync(whole.File(AnalysisQueue.ReportName), TestContext.Current.CancellationToken));
        Assert.Equal("here\n", await File.ReadAllTextAsync(broken.File(AnalysisQueue.ReportName), TestContext.Current.CancellationToken));
        Assert.Equal("known", await File.ReadAllTextAsync(known.File(AnalysisQueue.ReportName), TestContext.Current.CancellationToken));
        Assert.False(File.Exists(open.File(AnalysisQueue.ReportName)));
        Assert.False(File.Exists(empty.File(AnalysisQueue.ReportName)));
    }

    [Fact]
    public async Task Without_the_program_a_line_says_so_once_and_dumps_are_kept_as_they_are()
    {
        using AnalysisQueue queue = Queue("exit 0", o => o with { Analyser = Path.Combine(_root, "missing") });
        Assert.False(queue.IsOn);
        CrashStore store = new(Path.Combine(_root, "store"), TimeProvider.System);
        queue.Resume(store);
        await Done(queue.Add(Crash()));
        await Done(queue.Add(Crash()));
        Assert.Equal(1, _log.Count(352));
        Assert.Single(_log.Lines);
        using AnalysisQueue off = Queue("exit 0", o => o with { Analyser = "none" });
        Assert.False(off.IsOn);
        off.Resume(store);
        Assert.Single(_log.Lines);
    }
}
