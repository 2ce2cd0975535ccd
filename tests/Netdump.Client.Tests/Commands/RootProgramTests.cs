using Netdump.Client.Commands;
using Netdump.Client.Host;
using Netdump.Client.Tests.Host;

namespace Netdump.Client.Tests.Commands;

/// <summary>What an operator gets for a mistake: one line, and an exit code that says whose it was.</summary>
[Collection("console")] // its tests take the output of the process
public sealed class RootProgramTests : IDisposable
{
    private readonly FakeHost _host = new();

    private static (int Exit, string Error) Run(params string[] args) => Caught(() => RootProgram.Run(args));

    private static (int Exit, string Error) Caught(Func<int> run)
    {
        TextWriter before = Console.Error;
        using var caught = new StringWriter();
        Console.SetError(caught);
        try
        {
            return (run(), caught.ToString());
        }
        finally
        {
            Console.SetError(before);
        }
    }

    [Theory]
    [InlineData("stat", "stat")]
    [InlineData("start --dryrun", "--dryrun")]
    [InlineData("start --config", "--config")]
    [InlineData("test --confirm", "--confirm")]
    [InlineData("start --triggers oops,always", "oops,always is not a list of oops, lockup, hung, nmi")]
    [InlineData("watch --interval 0", "--interval")]
    public void Wrong_usage_is_exit_code_2_and_one_line(string line, string word)
    {
        (int exit, string error) = Run(line.Split(' '));
        Assert.Equal(2, exit);
        Assert.Contains(word, error);
        Assert.Equal(1, error.Count(c => c == '\n'));
    }

    [Theory]
    [InlineData("NETDUMPADR=10.0.0.2", "netdump.conf:1: unknown key NETDUMPADR; did you mean NETDUMPADDR?")]
    public void A_wrong_configuration_is_exit_code_1_and_one_line(string text, string message)
    {
        (int exit, string error) = Run("start", "--dry-run", "--config", _host.Write("/netdump.conf", text));
        Assert.Equal(1, exit);
        Assert.Contains(message, error);
        Assert.Equal(1, error.Count(c => c == '\n'));
    }

    [Fact]
    public void A_check_that_failed_is_told_as_status_tells_it()
    {
        (int exit, string error) = Run("start", "--dry-run", "--config", _host.Write("/netdump.conf", ""));
        Assert.Equal(1, exit);
        Assert.StartsWith("  FAIL  path: no server is named  [no-server]\n        -> set NETDUMPADDR=", error);
    }

    [Fact]
    public void Any_failure_is_exit_code_1_and_one_line()
    {
        foreach (Exception failure in new Exception[] { new ClientException("a\nb"), new IOException("a\nb"), new OutOfMemoryException(), new InvalidOperationException("a\nb") })
        {
            (int exit, string error) = Caught(() => RootProgram.Guard(() => throw failure));
            Assert.Equal((1, 1), (exit, error.Count(c => c == '\n')));
            Assert.StartsWith("netdump: ", error);
        }
    }

    [Theory]
    [InlineData("start")]
    [InlineData("stop")]
    [InlineData("restart")]
    [InlineData("status")]
    [InlineData("send")]
    [InlineData("info")]
    [InlineData("read")]
    [InlineData("test")]
    [InlineData("watch")]
    public void The_help_of_each_command_ends_with_examples_and_its_entry_in_the_list_is_a_line(string command)
    {
        TextWriter before = Console.Out;
        using var said = new StringWriter();
        Console.SetOut(said);
        try
        {
            Assert.Equal(0, RootProgram.Run([command, "--help"]));
            Assert.Contains($"netdump {command}", said.ToString().Split("Examples:")[1], StringComparison.Ordinal);
            said.GetStringBuilder().Clear();
            Assert.Equal(0, RootProgram.Run(["--help"]));
            string list = said.ToString().Split("Commands:")[1];
            Assert.DoesNotContain("Examples:", list, StringComparison.Ordinal);
        }
        finally
        {
            Console.SetOut(before);
        }
    }

    [Fact]
    public void Test_crashes_no_host_whose_crash_kernel_is_missing_or_somebody_elses()
    {
        _host.Write("/proc/sys/kernel/random/boot_id", "b\n");
        Assert.Contains("run netdump start", Assert.Throws<ClientException>(() => TestCommand.RequireOurCrashKernel(_host.Files)).Message);
        _host.Write("/sys/kernel/kexec_crash_loaded", "1\n");
        Assert.Contains("not netdump's", Assert.Throws<ClientException>(() => TestCommand.RequireOurCrashKernel(_host.Files)).Message);
        new ArmedState { BootId = "b", ArmedAt = DateTimeOffset.UnixEpoch, CrashKernel = true, ConsoleTargets = [] }.Save(_host.Files);
        TestCommand.RequireOurCrashKernel(_host.Files);
    }

    public void Dispose() => _host.Dispose();
}
