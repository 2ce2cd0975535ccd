using System.Net;
using System.Net.Sockets;
using Netdump.Vmcore.Tests;

namespace Netdump.EndToEnd;

/// <summary>What goes wrong before anything was begun: one line that says what and what to do, exit code 1 (2 for usage).</summary>
public class BadInputTests
{
    private const string Nobody = "65534";

    private static string OneLine(int expectedExit, string file, params string[] arguments) => OneLine(expectedExit, file, arguments, []);

    private static string OneLine(int expectedExit, string file, string[] arguments, Dictionary<string, string> environment)
    {
        using Command command = new(file, arguments, environment: environment);
        int exit = command.WaitForExit(TimeSpan.FromMinutes(2));
        Assert.True(exit == expectedExit, $"exit code {exit}, expected {expectedExit}:\n{command.Output}");
        Assert.DoesNotContain("   at ", command.Output, StringComparison.Ordinal);
        return Assert.Single(command.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private static string OneLineAsNobody(int expectedExit, string file, params string[] arguments) =>
        OneLine(expectedExit, "setpriv", ["--reuid", Nobody, "--regid", Nobody, "--clear-groups", file, .. arguments]);

    [Fact]
    public void Client_configuration_with_an_unknown_key_names_the_nearest()
    {
        string scratch = Workspace.Scratch(), conf = Path.Combine(scratch, "netdump.conf");
        File.WriteAllText(conf, "# ours\nNETDUMPADR=10.0.2.2\n");
        string said = OneLine(1, Workspace.Client, "start", "--dry-run", "--config", conf);
        Assert.Contains($"{conf}:2", said, StringComparison.Ordinal);
        Assert.Contains("NETDUMPADDR", said, StringComparison.Ordinal);
        Directory.Delete(scratch, true);
    }

    [Fact]
    public void Server_configuration_with_an_unknown_key_names_the_nearest()
    {
        string scratch = Workspace.Scratch(), conf = Path.Combine(scratch, "netdump-server.toml");
        File.WriteAllText(conf, "stroe = \"/tmp\"\n");
        string said = OneLine(1, Workspace.Server, "--config", conf);
        Assert.Contains("store", said, StringComparison.Ordinal);
        Directory.Delete(scratch, true);
    }

    [Fact]
    public void An_unreachable_server_is_named()
    {
        string scratch = Workspace.Scratch(), core = Path.Combine(scratch, "vmcore");
        Workspace.WriteCore(core, pages: 8);
        string said = OneLine(1, Workspace.Client, "send", core, "--classic", "--server", $"127.0.0.1:{DumpServer.FreePort()}");
        Assert.Contains("127.0.0.1", said, StringComparison.Ordinal);
        Directory.Delete(scratch, true);
    }

    [Fact]
    public void A_truncated_vmcore_is_named_with_the_offset()
    {
        string scratch = Workspace.Scratch(), core = Path.Combine(scratch, "vmcore");
        Workspace.WriteCore(core, pages: 8);
        using (FileStream file = File.OpenWrite(core)) file.SetLength(file.Length - 4096 - 100);
        string said = OneLine(1, Workspace.Client, "send", core, "--classic", "--server", "127.0.0.1");
        Assert.Contains(core, said, StringComparison.Ordinal);
        Assert.Matches("[0-9]", said.Replace(core, "", StringComparison.Ordinal));
        Directory.Delete(scratch, true);
    }

    [Fact]
    public void Arming_without_permission_says_so()
    {
        string scratch = Workspace.Scratch(), conf = Path.Combine(scratch, "netdump.conf");
        File.WriteAllText(conf, "NETDUMPADDR=127.0.0.1\n");
        File.SetUnixFileMode(scratch, (UnixFileMode)0b111_101_101);
        string said = OneLineAsNobody(1, Workspace.Client, "start", "--config", conf);
        Assert.Contains("root", said, StringComparison.Ordinal);
        Directory.Delete(scratch, true);
    }

    /// <summary>8 to 20 MiB: the runtime would crash in the midst of the work, without a word.</summary>
    [Theory]
    [InlineData("800000")]
    [InlineData("1000000")]
    [InlineData("1400000")]
    public void A_heap_limit_too_small_for_the_runtime_is_named(string limit)
    {
        string said = OneLine(1, Workspace.Client, ["report", SharedData.File("linux-6.1-sysrq-4level", "vmcore.kdump")], new() { ["DOTNET_GCHeapHardLimit"] = limit });
        Assert.Contains("DOTNET_GCHeapHardLimit", said, StringComparison.Ordinal);
    }

    [Fact]
    public void Usage_errors_exit_2()
    {
        Assert.Equal(2, Command.Run(Workspace.Client, "begin").ExitCode);
        Assert.Equal(2, Command.Run(Workspace.Client, "send").ExitCode);
        Assert.Equal(2, Command.Run(Workspace.Server, "--port", "none").ExitCode);
    }

    [Fact]
    public void A_port_in_use_is_named()
    {
        string scratch = Workspace.Scratch();
        using Socket taken = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        int port = ((IPEndPoint)taken.LocalEndPoint!).Port;
        string said = OneLine(1, Workspace.Server, "--store", scratch, "--listen", "127.0.0.1", "--port", $"{port}");
        Assert.Contains($"{port}", said, StringComparison.Ordinal);
        Directory.Delete(scratch, true);
    }

    [Fact]
    public void A_store_that_cannot_be_written_is_named()
    {
        string scratch = Workspace.Scratch(), store = Path.Combine(scratch, "store");
        File.SetUnixFileMode(scratch, (UnixFileMode)0b111_101_101);
        string said = OneLineAsNobody(1, Workspace.Server, "--store", store, "--listen", "127.0.0.1", "--port", $"{DumpServer.FreePort()}");
        Assert.Contains(store, said, StringComparison.Ordinal);
        Directory.Delete(scratch, true);
    }

    [Fact]
    public void A_host_without_crashkernel_memory_is_told_how_to_reserve_it_and_nothing_is_half_done()
    {
        TestKernel kernel = Workspace.Kernel("6.1");
        string scratch = Workspace.Scratch();
        using Guest guest = new(kernel, scratch, ["NETDUMPADDR=10.0.2.2"], "stop", crashkernel: "0");
        guest.WaitForReboot(TimeSpan.FromMinutes(2));
        Assert.Contains("guest: netdump start said 1", guest.Console, StringComparison.Ordinal);
        Assert.Contains("crashkernel=", guest.Console.Split("guest: up on")[1].Split("guest: netdump start said")[0], StringComparison.Ordinal);
        Assert.Contains("guest: netdump status said 2", guest.Console, StringComparison.Ordinal);
        string[] after = guest.Console.Split("guest: netdump stop said")[1].Split('\n');
        Assert.Equal(["0", "0"], after.Skip(1).Where(l => l is "0" or "1").Take(2));
        Directory.Delete(scratch, true);
    }
}
