using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Netdump.EndToEnd;

/// <summary>A program started by a test, with the lines it has printed; ended by its own process id when the test is over.</summary>
public sealed partial class Command : IDisposable
{
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly ConcurrentQueue<string> _errors = new();

    public Command(string file, IEnumerable<string> arguments, string? workingDirectory = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        ProcessStartInfo start = new(file, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = workingDirectory ?? Workspace.Root,
        };
        foreach ((string key, string value) in environment ?? new Dictionary<string, string>()) start.Environment[key] = value;
        _process = Process.Start(start)!;
        _process.StandardInput.Close();
        _process.OutputDataReceived += (_, e) => Add(e.Data);
        _process.ErrorDataReceived += (_, e) =>
        {
            Add(e.Data);
            if (e.Data is not null) _errors.Enqueue(e.Data);
        };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Its process.</summary>
    public int Id => _process.Id;

    public string Output => string.Join('\n', _lines);

    /// <summary>Its standard error alone.</summary>
    public string Errors => string.Join('\n', _errors);

    public static (int ExitCode, string Output) Run(string file, params string[] arguments)
    {
        using Command command = new(file, arguments);
        int exit = command.WaitForExit(TimeSpan.FromMinutes(3));
        return (exit, command.Output);
    }

    /// <summary>Runs a program that must succeed, and returns what it prints.</summary>
    public static string Succeed(string file, params string[] arguments)
    {
        (int exit, string output) = Run(file, arguments);
        Assert.True(exit == 0, $"{file} {string.Join(' ', arguments)} exited {exit}:\n{output}");
        return output;
    }

    /// <summary>Waits for a line that matches; fails with everything printed so far when time is up or the program ended.</summary>
    public string WaitForLine(string pattern, TimeSpan limit) => FindLine(pattern, limit, out bool ended)
        ?? throw new TimeoutException($"no line matched /{pattern}/ {(ended ? "before the program ended" : $"in {limit}")}:\n{Output}");

    /// <summary>Whether a line that matches comes in time; also true when the program ended before: whoever waits for more will see.</summary>
    public bool Prints(string pattern, TimeSpan limit) => FindLine(pattern, limit, out bool ended) is not null || ended;

    private string? FindLine(string pattern, TimeSpan limit, out bool ended)
    {
        Regex regex = new(pattern);
        for (Stopwatch clock = Stopwatch.StartNew(); ; Pause())
        {
            ended = _process.HasExited;
            foreach (string line in _lines)
                if (regex.IsMatch(line)) return line;
            if (ended || clock.Elapsed > limit) return null;
        }
    }

    public int WaitForExit(TimeSpan limit)
    {
        if (!_process.WaitForExit(limit)) throw new TimeoutException($"still running after {limit}:\n{Output}");
        _process.WaitForExit();   // the readers as well
        return _process.ExitCode;
    }

    public void Signal(int number)
    {
        if (kill(_process.Id, number) != 0) throw new InvalidOperationException("kill: errno " + Marshal.GetLastPInvokeError());
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }
        _process.Dispose();
    }

    internal static void Pause() => Task.Delay(50).Wait();

    private void Add(string? line)
    {
        if (line is null) return;
        line = line.TrimEnd('\r');
        _lines.Enqueue(line);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int process, int signal);
}
