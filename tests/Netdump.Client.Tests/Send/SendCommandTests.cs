using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Netdump.Client.Commands;
using Netdump.Client.Send;
using Netdump.Protocols.Classic;
using Netdump.Vmcore.Tests;

namespace Netdump.Client.Tests.Send;

[Collection("console")]
public class SendCommandTests
{
    [Theory]
    [InlineData("send")]
    [InlineData("send vmcore --classic")]
    [InlineData("send vmcore --server h --plain")]
    [InlineData("send vmcore --server h --profile A")]
    [InlineData("send vmcore --server h --pin SHA256:xyz")]
    [InlineData("send vmcore --server h --server i --pin SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")]
    [InlineData("send vmcore --classic --server h --key k")]
    [InlineData("keygen")]
    [InlineData("send vmcore --classic --server h:0")]
    [InlineData("send vmcore --classic --server :1")]
    [InlineData("send vmcore --classic --server h --port 70000")]
    [InlineData("send vmcore --classic --server h --local-port 0")]
    [InlineData("send vmcore --classic --server h --local-address h")]
    [InlineData("send vmcore --classic --server h --profile E")]
    [InlineData("send vmcore --classic --server h --timeout 0")]
    public void Wrong_usage_is_exit_code_2(string line)
    {
        var (code, _, error) = Run(line.Split(' '));
        Assert.Equal(2, code);
        Assert.Single(error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public void Trouble_is_one_line_and_exit_code_1()
    {
        using var dump = new DumpFile();
        using var gone = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        gone.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var port = ((IPEndPoint)gone.LocalEndPoint!).Port;
        var cut = dump.Path + ".cut";
        File.WriteAllBytes(cut, dump.Bytes[..^5000]);
        var kdump = dump.Path + ".kdump";
        File.WriteAllText(kdump, "KDUMP   ");
        try
        {
            Expect("no answer from 127.0.0.1:" + port + " within 1 s", dump.Path, "127.0.0.1:" + port, "--timeout", "1");
            Expect("is cut short: it has " + (dump.Bytes.Length - 5000), cut, "127.0.0.1");
            Expect("the file has 8 bytes", kdump, "127.0.0.1");
            Expect("this is a kdump-compressed dump", SharedData.File("linux-6.1-sysrq", "vmcore.kdump-zlib-d31"), "127.0.0.1");
            Expect("server no-such-host.invalid cannot be resolved", dump.Path, "no-such-host.invalid");
            Expect("Could not find file", dump.Path + ".none", "127.0.0.1");
            Expect("192.0.2.1 is not an address of this machine", dump.Path, "127.0.0.1", "--local-address", "192.0.2.1");
            Expect("::1 is not an address of this machine that can send to 127.0.0.1", dump.Path, "127.0.0.1", "--local-address", "::1");
            gone.Dispose();
            Expect("nothing listens at 127.0.0.1:" + port, dump.Path, "127.0.0.1:" + port, "--timeout", "1");
        }
        finally
        {
            File.Delete(cut);
            File.Delete(kdump);
        }

        static void Expect(string text, string file, string server, params string[] more)
        {
            var (code, _, error) = Run(["send", file, "--classic", "--server", server, .. more]);
            Assert.Contains(text, error, StringComparison.Ordinal);
            Assert.Single(error.TrimEnd('\n').Split('\n'));
            Assert.Equal(1, code);
        }
    }

    [Fact]
    public async Task A_dump_ends_with_a_line_and_exit_code_0()
    {
        using var dump = new DumpFile();
        using var server = new SessionServer();
        var served = server.Serve();
        var (code, output, error) = Run("send", dump.Path, "--classic", "--server", "127.0.0.1", "--port", $"{server.Address.Port}");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(ClassicEndReason.Finished, await served);
        Assert.Equal(dump.Memory(), server.Memory);
        var lines = output.TrimEnd('\n').Split('\n');
        Assert.Equal($"sending 1 MB to 127.0.0.1:{server.Address.Port}", lines[0]);
        Assert.Equal($"127.0.0.1:{server.Address.Port} answered", lines[1]);
        Assert.StartsWith($"done: {dump.Source.RamPages} pages in ", lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dump_goes_from_the_address_that_was_given_and_without_segmentation()
    {
        using var dump = new DumpFile();
        using var server = new SessionServer();
        var served = server.Serve();
        var (code, _, error) = Run("send", dump.Path, "--classic", "--server", $"{server.Address}", "--local-address", "127.1.2.3", "--plain");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(ClassicEndReason.Finished, await served);
        Assert.Equal(IPAddress.Parse("127.1.2.3"), server.Client?.Address);
        Assert.Equal(dump.Memory(), server.Memory);
    }

    [Fact]
    public async Task For_programs_every_line_is_an_object_and_the_last_tells_the_end()
    {
        using var dump = new DumpFile();
        using var server = new SessionServer();
        var served = server.Serve();
        var (code, output, _) = Run("send", dump.Path, "--classic", "--server", $"{server.Address}", "--json", "--profile", "D");
        Assert.Equal(0, code);
        await served;
        var events = output.TrimEnd('\n').Split('\n').Select(l => JsonDocument.Parse(l).RootElement).ToList();
        Assert.Equal("connecting", events[0].GetProperty("event").GetString());
        Assert.Equal("end", events[^1].GetProperty("event").GetString());
        Assert.Equal("done", events[^1].GetProperty("outcome").GetString());
        Assert.Equal(dump.Source.RamPages, events[^1].GetProperty("pages").GetUInt64());
    }

    [Fact]
    public void A_terminal_sees_a_bar_and_a_file_a_line_each_5_seconds()
    {
        var target = new SendTarget("srv", new IPEndPoint(IPAddress.Loopback, 6666));
        var half = new SendProgress(SendStage.Sending, target, 128, 256, 1 << 19, 1 << 20, 1e6, TimeSpan.FromSeconds(100), true, SendOutcome.None);
        using var terminal = new StringWriter();
        new SendDisplay(terminal, TextWriter.Null, json: false, isTerminal: true).Show(half);
        Assert.Equal("\r[############............] 50.0 % of 1 MB, 1.0 MB/s, 2 min left", terminal.ToString());
        using var file = new StringWriter();
        var display = new SendDisplay(file, TextWriter.Null, json: false, isTerminal: false);
        for (var i = 0; i < 10; i++)
            display.Show(half);
        Assert.Equal(2, file.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    private static (int Code, string Output, string Error) Run(params string[] args)
    {
        var (output, error) = (Console.Out, Console.Error);
        using var newOutput = new StringWriter();
        using var newError = new StringWriter();
        Console.SetOut(newOutput);
        Console.SetError(newError);
        try
        {
            return (RootProgram.Run(args), newOutput.ToString(), newError.ToString());
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(error);
        }
    }
}
