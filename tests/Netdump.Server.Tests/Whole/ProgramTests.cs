using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Netdump.Server.Options;

namespace Netdump.Server.Tests.Whole;

/// <summary>The program as an operator starts it: a process, its exit status, its lines, its signals.</summary>
public sealed partial class ProgramTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);
    private readonly string _directory = Directory.CreateTempSubdirectory("netdump-program-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static string Program => Path.Combine(AppContext.BaseDirectory, "netdump-server");

    // A test run started by nohup ignores SIGHUP, and so would every process it starts.
    private Process Start(params string[] arguments) => Process.Start(new ProcessStartInfo("env", ["--default-signal=HUP", Program, .. arguments])
    {
        UseShellExecute = false,
        WorkingDirectory = _directory,
        RedirectStandardError = true,
        RedirectStandardOutput = true,
    })!;

    private static string ReadUntil(Process process, string text)
    {
        string said = "";
        using CancellationTokenSource limit = new(Limit);
        try
        {
            while (process.StandardError.ReadLineAsync(limit.Token).AsTask().GetAwaiter().GetResult() is { } line)
            {
                said += line + "\n";
                if (line.Contains(text, StringComparison.Ordinal)) return said;
            }
        }
        catch (OperationCanceledException)
        {
            process.Kill();
        }

        Assert.Fail($"'{text}' was not said, but: {said}");
        return said;
    }

    private static void Signal(Process process, string name)
    {
        using Process kill = Process.Start("kill", ["-" + name, process.Id.ToString()]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
    }

    private static (int Status, string Said) Finish(Process process)
    {
        string rest = process.StandardError.ReadToEnd();
        Assert.True(process.WaitForExit(Limit));
        return (process.ExitCode, rest);
    }

    private void Fails(int status, string expected, params string[] arguments)
    {
        using Process process = Start(arguments);
        (int actual, string said) = Finish(process);
        Assert.Equal($"netdump-server: {expected}\n", said);
        Assert.Equal(status, actual);
    }

    [Fact]
    public void It_serves_reloads_and_ends_by_signals_as_any_user_in_a_scratch_directory()
    {
        string file = Path.Combine(_directory, "server.toml");
        File.WriteAllText(file, "allow = [\"127.0.0.1\"]\n");
        using Process process = Start(
            "--store", "crashes", "--listen", "127.0.0.1", "--port", "0", "--secure-port", "none", "--pidfile", "pid", "--config", "server.toml", "-d");
        string said = ReadUntil(process, "listening on");
        int port = int.Parse(Listening().Match(said).Groups["port"].Value);
        Assert.Contains($"store {_directory}/crashes", said, StringComparison.Ordinal);
        Assert.Contains("daemon: the server stays in the foreground", said, StringComparison.Ordinal);
        Assert.Equal($"{process.Id}\n", File.ReadAllText(_directory + "/pid"));

        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(IPAddress.Loopback, port);
        socket.Send("6,1,1000,-;hello\n"u8);
        string console = Path.Combine(_directory, "crashes", "console", "127.0.0.1");
        Assert.True(SpinWait.SpinUntil(() => Directory.Exists(console) && Directory.GetFiles(console, "*.log").Length > 0, Limit));

        File.WriteAllText(file, "allow = [\"127.0.0.1\"]\nport = ");
        Signal(process, "HUP");
        ReadUntil(process, "settings not read again, the old ones stay: server.toml:2:");
        File.WriteAllText(file, "allow = [\"127.0.0.2\"]\nthreads = 1\n");
        Signal(process, "HUP");
        Assert.Contains("threads changed: takes effect after a restart", ReadUntil(process, "settings read again"), StringComparison.Ordinal);
        socket.Send("6,2,2000,-;hello\n"u8);
        ReadUntil(process, "127.0.0.1 is in no allowed network");

        Signal(process, "TERM");
        (int status, string rest) = Finish(process);
        Assert.Equal(0, status);
        Assert.Contains("stopping", rest, StringComparison.Ordinal);
        Assert.Contains("2 datagrams, 0 dropped by the kernel, 1 rejected", rest, StringComparison.Ordinal);
        Assert.False(File.Exists(_directory + "/pid"));
    }

    [Fact]
    public void A_port_in_use_is_one_line_and_status_1_and_leaves_nothing()
    {
        using Socket other = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        other.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        int port = ((IPEndPoint)other.LocalEndPoint!).Port;
        Fails(
            1, $"udp port {port} is in use by another program (127.0.0.1:{port}): stop it or choose another with --port N",
            "--store", "crashes", "--listen", "127.0.0.1", "--port", port.ToString());
        Assert.Empty(Directory.GetFileSystemEntries(_directory));
    }

    [Fact]
    public void A_store_that_cannot_be_written_is_one_line_and_status_1()
    {
        File.WriteAllText(_directory + "/file", "");
        using Process process = Start("--store", "file/store", "--listen", "127.0.0.1", "--port", "0", "--secure-port", "none");
        (int status, string said) = Finish(process);
        Assert.Equal(1, status);
        Assert.StartsWith($"netdump-server: cannot write to the store {_directory}/file/store: ", said, StringComparison.Ordinal);
        Assert.Equal(1, said.Count(c => c == '\n'));
    }

    [Fact]
    public void A_pid_file_that_cannot_be_written_is_one_line_and_status_1()
    {
        using Process process = Start("--store", "crashes", "--listen", "127.0.0.1", "--port", "0", "--secure-port", "none", "--pidfile", "none/pid");
        (int status, string said) = Finish(process);
        Assert.Equal(1, status);
        Assert.StartsWith($"netdump-server: cannot write the pid file {_directory}/none/pid: ", said, StringComparison.Ordinal);
        Assert.Equal(1, said.Count(c => c == '\n'));
    }

    [Fact]
    public void Mistakes_in_the_file_have_status_1_and_on_the_command_line_2()
    {
        File.WriteAllText(_directory + "/c.toml", "prot = 1\n");
        Fails(1, "c.toml:1:1: unknown setting 'prot' (did you mean 'port'?)", "--config", "c.toml");
        Fails(1, "cannot read the settings in none.toml: no such file", "--config", "none.toml");
        Fails(2, "unknown argument '--prot' (did you mean --port?); see netdump-server --help", "--prot", "1");
        Fails(2, "--port: 'x' is no number from 0 to 65535; see netdump-server --help", "--port", "x");
    }

    [Fact]
    public void Every_command_of_the_operator_page_runs()
    {
        string page = File.ReadAllText(Path.Combine(Checkout(), "docs", "server.md"));
        File.WriteAllText(_directory + "/netdump-server.toml", TomlBlock().Match(page).Value.Replace("/srv/crash", "crash"));
        string[] commands = [.. CommandLines().Matches(page).Select(m => m.Value)];
        Assert.True(commands.Length >= 3);
        foreach (string command in commands)
        {
            // The page's port may be taken here.
            string[] arguments = command.Contains("--port 6666", StringComparison.Ordinal)
                ? command.Replace("6666", "0").Split(' ')
                : [.. command.Split(' '), "--port", "0"];
            arguments = [.. arguments, "--secure-port", "0"];
            using Process process = Start(arguments);
            Assert.Matches(Listening(), ReadUntil(process, "listening on"));
            Signal(process, "TERM");
            Assert.Equal(0, Finish(process).Status);
        }
    }

    [Fact]
    public void The_operator_page_has_a_row_for_each_setting()
    {
        string page = File.ReadAllText(Path.Combine(Checkout(), "docs", "server.md"));
        foreach (Setting setting in Settings.All.Where(s => s.Note is null))
        {
            string option = $"| `{setting.Names[0]} {setting.Value!.Replace("|", "\\|")}` |";
            string row = Assert.Single(page.Split('\n'), l => l.StartsWith(option, StringComparison.Ordinal));
            Assert.Contains($"| `{setting.Key}`", row, StringComparison.Ordinal);
            string inForce = setting.Reloads ? "SIGHUP reads" : "";
            if (inForce.Length > 0) Assert.Contains($"`{setting.Key}`", page.Split(inForce)[1].Split("\n\n")[0], StringComparison.Ordinal);
        }
    }

    private static string Checkout()
    {
        for (DirectoryInfo? d = new(AppContext.BaseDirectory); d is not null; d = d.Parent)
            if (File.Exists(Path.Combine(d.FullName, "netdump.slnx"))) return d.FullName;
        throw new InvalidOperationException("netdump.slnx not found above " + AppContext.BaseDirectory);
    }

    [GeneratedRegex(@"listening on \S+:(?<port>[1-9]\d*) \(udp, ", RegexOptions.ExplicitCapture)]
    private static partial Regex Listening();

    [GeneratedRegex(@"(?<=^netdump-server ).+$", RegexOptions.Multiline)]
    private static partial Regex CommandLines();

    [GeneratedRegex(@"(?<=```toml\n).*?(?=```)", RegexOptions.Singleline)]
    private static partial Regex TomlBlock();
}
