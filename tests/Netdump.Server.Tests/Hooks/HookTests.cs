using System.Diagnostics;
using System.Net;
using Netdump.Server.Hooks;
using Netdump.Server.Options;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Hooks;

public sealed class HookTests : IDisposable
{
    private static readonly IPAddress Host = IPAddress.Parse("10.0.0.7");
    private readonly string _root = Directory.CreateTempSubdirectory("netdump-hooks-").FullName;
    private readonly LogLines _log = new();
    private readonly LiveOptions _options = new(new ServerOptions { HookTimeout = TimeSpan.FromSeconds(120), MaxHooks = 2 });
    private readonly HookScripts _hooks;

    public HookTests()
    {
        CrashStore store = new(_root, TimeProvider.System);
        Directory.CreateDirectory(store.ScriptDirectory);
        _hooks = new HookScripts(store, _options, _log);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private void Script(HookName hook, string body, bool executable = true)
    {
        string path = Path.Combine(_root, "scripts", HookScripts.FileName(hook));
        ExecutableFile.Write(path, "#!/bin/sh\n" + body + "\n", executable ? "0700" : "0600");
    }

    private string Output => File.ReadAllText(Path.Combine(_root, "out"));

    [Theory]
    [InlineData(HookName.Start, "netdump-start", null, "1 10.0.0.7 \n")]
    [InlineData(HookName.Crash, "netdump-crash", "/store/a b", "2 10.0.0.7 /store/a b\n")]
    [InlineData(HookName.NoSpace, "netdump-nospace", "/store/x", "2 10.0.0.7 /store/x\n")]
    [InlineData(HookName.Reboot, "netdump-reboot", "/store/x", "2 10.0.0.7 /store/x\n")]
    public async Task Scripts_get_the_arguments_of_the_original(HookName hook, string name, string? directory, string expected)
    {
        Assert.Equal(name, HookScripts.FileName(hook));
        Script(hook, $"echo \"$# $1 $2\" > {_root}/out");
        Assert.Equal(0, await _hooks.RunAsync(hook, Host, directory));
        Assert.Equal(expected, Output);
        Assert.Empty(_log.Lines);
    }

    [Fact]
    public async Task Item34_a_missing_script_is_silent()
    {
        Assert.Null(await _hooks.RunAsync(HookName.Crash, Host, "/x"));
        Assert.Empty(_log.Lines);
    }

    [Fact]
    public async Task Item34_a_failing_script_is_one_line()
    {
        Script(HookName.Crash, "exit 3");
        Assert.Equal(3, await _hooks.RunAsync(HookName.Crash, Host, "/x"));
        Assert.Equal(["hook netdump-crash for 10.0.0.7 ended with status 3"], _log.Lines);
    }

    [Fact]
    public async Task Item34_a_script_that_cannot_be_executed_is_one_line()
    {
        Script(HookName.Crash, "exit 0", executable: false);
        Assert.NotEqual(0, await _hooks.RunAsync(HookName.Crash, Host, "/x"));
        Assert.Single(_log.Lines);
    }

    [Fact]
    public async Task A_script_that_hangs_is_killed_with_everything_it_started()
    {
        _options.Current = _options.Current with { HookTimeout = TimeSpan.FromSeconds(5) }; // the script must have begun by then
        Script(HookName.Crash, $"sleep 1000 & echo $! > {_root}/out; trap '' TERM; wait; sleep 1000");
        Stopwatch watch = Stopwatch.StartNew();
        Assert.Null(await _hooks.RunAsync(HookName.Crash, Host, "/x"));
        Assert.InRange(watch.Elapsed.TotalSeconds, 4.9, 500);
        Assert.Equal(["hook netdump-crash for 10.0.0.7 was killed after 5 s"], _log.Lines);
        string child = $"/proc/{Output.Trim()}/stat";
        // A killed orphan may stay a zombie for a moment.
        Assert.True(SpinWait.SpinUntil(() => !File.Exists(child) || IsZombie(child), TimeSpan.FromSeconds(60)));
    }

    private static bool IsZombie(string stat)
    {
        try
        {
            return File.ReadAllText(stat).Contains(") Z", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return true;
        }
    }

    [Fact]
    public async Task Only_so_many_run_at_once_and_the_rest_waits()
    {
        Script(HookName.Crash, $"""
            mkdir {_root}/run.$$
            ls -d {_root}/run.* | wc -l >> {_root}/out
            sleep 0.2
            rmdir {_root}/run.$$
            """);
        int?[] results = await Task.WhenAll(Enumerable.Range(1, 6).Select(i => _hooks.RunAsync(HookName.Crash, new IPAddress(i), "/x")));
        Assert.All(results, r => Assert.Equal(0, r));
        int[] together = [.. Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
        Assert.Equal(6, together.Length);
        Assert.All(together, n => Assert.InRange(n, 1, 2));
    }

    [Fact]
    public async Task Hooks_of_one_host_run_in_the_order_of_what_happened()
    {
        Script(HookName.Start, $"sleep 0.5; echo start >> {_root}/out");
        Script(HookName.Crash, $"sleep 0.2; echo crash >> {_root}/out; exit 1");
        Script(HookName.Reboot, $"echo reboot >> {_root}/out");
        await Task.WhenAll(
            _hooks.RunAsync(HookName.Start, Host, null), _hooks.RunAsync(HookName.Crash, Host, "/x"), _hooks.RunAsync(HookName.Reboot, Host, "/x"));
        Assert.Equal("start\ncrash\nreboot\n", Output);
    }

    [Fact]
    public async Task Calling_a_hook_does_not_wait_for_it()
    {
        Script(HookName.Crash, "sleep 1");
        Stopwatch watch = Stopwatch.StartNew();
        Task<int?> running = _hooks.RunAsync(HookName.Crash, Host, "/x");
        Assert.False(running.IsCompleted);
        Assert.Equal(0, await running);
        Assert.InRange(watch.Elapsed.TotalSeconds, 0.9, 60);
    }
}
