using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace Netdump.EndToEnd;

/// <summary>Somebody at a terminal: types lines, and reads what comes, a prompt that ends with no newline too.</summary>
public sealed class Terminal : IDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private int _read;

    public Terminal(string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        ProcessStartInfo start = new(file, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = Workspace.Root,
        };
        foreach ((string key, string value) in environment ?? new Dictionary<string, string>()) start.Environment[key] = value;
        _process = Process.Start(start)!;
        _process.StandardInput.AutoFlush = true;
        _process.StandardInput.NewLine = "\n";
        _ = FollowAsync(_process.StandardOutput);
        _ = FollowAsync(_process.StandardError);
    }

    /// <summary>Its process.</summary>
    public int Id => _process.Id;

    /// <summary>All that was shown.</summary>
    public string Output
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    public void Type(string line) => _process.StandardInput.WriteLine(line);

    /// <summary>Waits for a pattern behind what was expected before, and returns what was shown up to its end.</summary>
    public string Expect(string pattern, TimeSpan? limit = null)
    {
        TimeSpan most = limit ?? TimeSpan.FromMinutes(2);
        for (Stopwatch clock = Stopwatch.StartNew(); ; Command.Pause())
        {
            bool isOver = _process.HasExited;
            lock (_output)
            {
                string rest = _output.ToString(_read, _output.Length - _read);
                if (Regex.Match(rest, pattern, RegexOptions.Multiline) is { Success: true } match)
                {
                    _read += match.Index + match.Length;
                    return rest[..(match.Index + match.Length)];
                }
            }
            if (isOver || clock.Elapsed > most) throw new TimeoutException($"no '{pattern}' {(isOver ? "before the end" : $"in {most}")}:\n{Output}");
        }
    }

    /// <summary>Types a command and waits for its end.</summary>
    /// <returns>What it showed; it exited with the code that is expected.</returns>
    public string Run(string command, int exit = 0, TimeSpan? limit = null)
    {
        string mark = $"done-{Guid.NewGuid():N}";
        Type($"{command}; echo {mark[..10]}''{mark[10..]} $?"); // its own echo on a terminal is not its end
        string said = Expect(mark + @" \d+", limit);
        Assert.True(said.EndsWith($" {exit}", StringComparison.Ordinal), $"{command}:\n{said}");
        return said[..said.LastIndexOf(mark, StringComparison.Ordinal)];
    }

    public int WaitForExit(TimeSpan limit)
    {
        if (!_process.WaitForExit(limit)) throw new TimeoutException($"still running after {limit}:\n{Output}");
        return _process.ExitCode;
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

    private async Task FollowAsync(StreamReader reader)
    {
        char[] buffer = new char[4096];
        for (int got; (got = await reader.ReadAsync(buffer)) > 0;)
            lock (_output) _output.Append(buffer, 0, got).Replace("\r", "");
    }
}
