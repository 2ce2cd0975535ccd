using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using Netdump.Server.Options;
using Netdump.Server.Store;

namespace Netdump.Server.Hooks;

/// <summary>The events that have a script (redhat-netdump.md 4.3).</summary>
public enum HookName
{
    /// <summary><c>netdump-start ADDRESS</c>: a host began to send its console.</summary>
    Start,

    /// <summary><c>netdump-crash ADDRESS DIRECTORY</c>: a host reported a crash.</summary>
    Crash,

    /// <summary><c>netdump-nospace ADDRESS DIRECTORY</c>: too little space for a dump; space is looked at again afterwards.</summary>
    NoSpace,

    /// <summary><c>netdump-reboot ADDRESS DIRECTORY</c>: a host is being rebooted after its crash; its files are closed.</summary>
    Reboot,
}

/// <summary>
/// Runs the operator's scripts in <c>STORE/scripts</c>, never on an engine thread, only so many at once, and those of one host one after
/// the other in the order of what happened. A missing script is silent; one that fails gives one log line; one that takes too long is killed with everything it started. Thread-safe.
/// </summary>
public sealed partial class HookScripts
{
    // Waiting runs hold only an address and a path; beyond this somebody is making crashes up.
    private const int MaxPending = 1024;

    private const int KillSignal = 9;

    private readonly string _directory;
    private readonly string _root; // where the original's scripts began, too
    private readonly LiveOptions _options;
    private readonly ILogger _log;
    private readonly Lock _lock = new();
    private readonly Queue<TaskCompletionSource> _waiting = new();
    private readonly Dictionary<IPAddress, Task> _lastOf = [];
    private int _pending;
    private int _running;

    /// <summary>The scripts of a store.</summary>
    public HookScripts(CrashStore store, LiveOptions options, ILogger log)
    {
        _directory = store.ScriptDirectory;
        _root = store.Root;
        _options = options;
        _log = log;
    }

    /// <summary>File name of a hook's script.</summary>
    public static string FileName(HookName hook) => hook switch
    {
        HookName.Start => "netdump-start",
        HookName.Crash => "netdump-crash",
        HookName.NoSpace => "netdump-nospace",
        _ => "netdump-reboot",
    };

    /// <summary>
    /// Runs a hook and gives its exit status; null when there is no script, it could not be started, or it was killed.
    /// Never throws, never blocks the caller.
    /// </summary>
    public async Task<int?> RunAsync(HookName hook, IPAddress address, string? directory)
    {
        string name = FileName(hook);
        string script = Path.Combine(_directory, name);
        // File.Exists is the only call made on the caller's thread.
        if (!File.Exists(script)) return null;
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!TryQueue(address, done.Task, out Task before))
        {
            Log.HookQueueFull(_log, name, address, MaxPending);
            return null;
        }

        try
        {
            await before.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            await EnterAsync();
            try
            {
                return await RunNowAsync(script, name, address, directory);
            }
            finally
            {
                Leave();
            }
        }
        catch (Exception e)
        {
            Log.HookNotStarted(_log, name, address, e.Message);
            return null;
        }
        finally
        {
            Dequeue(address, done);
        }
    }

    private async Task<int?> RunNowAsync(string script, string name, IPAddress address, string? directory)
    {
        // setsid gives the script a process group of its own, so that all it starts can be killed together.
        ProcessStartInfo start = new("setsid") { UseShellExecute = false, RedirectStandardInput = true, WorkingDirectory = _root };
        start.ArgumentList.Add(script);
        start.ArgumentList.Add(address.ToString());
        if (directory is not null) start.ArgumentList.Add(directory);

        TimeSpan limit = _options.Current.HookTimeout;
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        using CancellationTokenSource timeout = new(limit);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            // On a machine so busy that setsid has not run yet there is no such group.
            if (Kill(-process.Id, KillSignal) != 0) process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
            Log.HookKilled(_log, name, address, limit.TotalSeconds);
            return null;
        }

        if (process.ExitCode != 0) Log.HookFailed(_log, name, address, process.ExitCode);
        return process.ExitCode;
    }

    private bool TryQueue(IPAddress address, Task done, out Task before)
    {
        lock (_lock)
        {
            before = _lastOf.GetValueOrDefault(address, Task.CompletedTask);
            if (_pending >= MaxPending) return false;
            _pending++;
            _lastOf[address] = done;
            return true;
        }
    }

    private void Dequeue(IPAddress address, TaskCompletionSource done)
    {
        lock (_lock)
        {
            _pending--;
            if (_lastOf.GetValueOrDefault(address) == done.Task) _lastOf.Remove(address);
        }

        done.SetResult();
    }

    private Task EnterAsync()
    {
        lock (_lock)
        {
            if (_running < _options.Current.MaxHooks)
            {
                _running++;
                return Task.CompletedTask;
            }

            TaskCompletionSource waiter = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(waiter);
            return waiter.Task;
        }
    }

    private void Leave()
    {
        lock (_lock)
        {
            // The place is handed on, unless a reload lowered the limit meanwhile.
            _running--;
            while (_running < _options.Current.MaxHooks && _waiting.TryDequeue(out TaskCompletionSource? next))
            {
                _running++;
                next.SetResult();
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
