using System.Diagnostics;
using System.Globalization;

namespace Netdump.EndToEnd;

/// <summary>
/// A Debian system of its own in namespaces (tests/box/start), for tests that install programs, make users and start services. It ends with the test,
/// and so does all that was done in it. Only root can make one.
/// </summary>
public sealed class Box : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    private readonly string _scratch;
    private readonly Command _command;
    private readonly int _init;

    public Box(bool systemd)
    {
        _scratch = Workspace.Scratch(nameof(Box));
        _command = new Command("unshare",
        [
            "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--fork", "--kill-child",
            Path.Combine(Workspace.Root, "tests/box/start"), _scratch, Workspace.Root, systemd ? "systemd" : "sysvinit",
        ]);
        _command.WaitForLine("^box: ready$", Limit);
        string children = File.ReadAllText($"/proc/{_command.Id}/task/{_command.Id}/children");
        _init = int.Parse(children.Split(' ')[0], CultureInfo.InvariantCulture);
        // The name in /proc is that of the program which the script became.
        string program = systemd ? "systemd" : "bash";
        WaitFor(() => File.ReadAllText($"/proc/{_init}/comm").Trim() == program && !File.ReadAllText($"/proc/{_init}/cmdline").Contains("box/start", StringComparison.Ordinal));
        if (systemd) WaitFor(() => Run("systemctl is-system-running").Output is "running" or "degraded");
    }

    /// <summary>What its first process and the services said.</summary>
    public string Console => _command.Output;

    /// <summary>Runs a script of the shell in it, as root.</summary>
    public (int ExitCode, string Output) Run(string script)
    {
        using Command command = Start(script);
        int exit = command.WaitForExit(TimeSpan.FromMinutes(2));
        return (exit, command.Output);
    }

    /// <summary>Runs a script that must succeed, and returns what it prints.</summary>
    public string Succeed(string script)
    {
        (int exit, string output) = Run(script);
        Assert.True(exit == 0, $"exit {exit} of: {script}\n{output}");
        return output;
    }

    /// <summary>Runs a script that must fail, and returns what it prints.</summary>
    public string Fail(string script)
    {
        (int exit, string output) = Run(script);
        Assert.True(exit != 0, $"succeeded: {script}\n{output}");
        return output;
    }

    /// <summary>Starts a script and does not wait.</summary>
    public Command Start(string script) => new(
        "nsenter", ["-t", $"{_init}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--", "setpriv", "--pdeathsig", "KILL", "--", "/bin/bash", "-c", script],
        workingDirectory: "/", environment: new Dictionary<string, string> { ["HOME"] = "/root", ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" });

    /// <summary>Copies a file into it.</summary>
    public void Put(string file, string path) => File.Copy(file, $"/proc/{_init}/root{path}", overwrite: true);

    /// <summary>Puts both programs and their services into it, as <c>make install</c> does.</summary>
    public void Install() => Succeed($"cd {Workspace.Root} && packaging/install");

    /// <summary>Waits for something in it; fails with what a script prints, or else with what its first process said.</summary>
    public void WaitFor(Func<bool> condition, string? script = null)
    {
        for (Stopwatch clock = Stopwatch.StartNew(); !condition(); Command.Pause())
            if (clock.Elapsed > Limit) throw new TimeoutException($"not within {Limit}:\n{(script is null ? Console : Run(script).Output)}");
    }

    public void Dispose()
    {
        _command.Dispose(); // unshare takes the first process with it, and that takes all others
        Directory.Delete(_scratch, recursive: true);
    }
}
