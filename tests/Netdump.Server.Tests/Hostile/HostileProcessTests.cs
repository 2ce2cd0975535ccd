using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Netdump.Server.Tests.Hostile;

/// <summary>The same over real sockets, against the program as it is started.</summary>
public sealed partial class HostileProcessTests : IDisposable
{
    private const int Count = 50_000;
    private const int Seed = 4;
    private const long MostMemory = 300L << 20;

    private readonly string _directory = Directory.CreateTempSubdirectory("netdump-hostile-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Proof5_the_program_survives_hostile_datagrams_and_its_closing_line_adds_up()
    {
        using Process server = Process.Start(new ProcessStartInfo(
            Path.Combine(AppContext.BaseDirectory, "netdump-server"), ["--store", "crash", "--listen", "127.0.0.1", "--port", "0", "--secure-port", "none", "--receive-buffer", "8388608"])
        {
            UseShellExecute = false,
            WorkingDirectory = _directory,
            RedirectStandardError = true,
        })!;
        try
        {
            string? line = await server.StandardError.ReadLineAsync(TestContext.Current.CancellationToken);
            int port = int.Parse(Port().Match(line ?? "").Groups["port"].Value);
            Task<string> said = server.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            Socket[] hosts = [.. Enumerable.Range(0, 40).Select(i => Connect($"127.0.0.{2 + i / 4}", port))];
            HostileTraffic traffic = new(Seed);
            Random random = new(Seed);
            long sent = 0;
            for (; sent < Count; sent++)
            {
                hosts[random.Next(hosts.Length)].Send(traffic.Next());
                // What does not fit into the buffer is dropped and counted, but the test is about what is received.
                if (sent % 500 == 499) await Task.Delay(1, TestContext.Current.CancellationToken);
            }

            using Socket last = Connect("127.0.0.1", port);
            string console = Path.Combine(_directory, "crash", "console", "127.0.0.1");
            long end = Environment.TickCount64 + 120_000;
            while (!Directory.Exists(console) || Directory.GetFiles(console, "*.log").Length == 0)
            {
                Assert.True(Environment.TickCount64 < end && !server.HasExited, "the server takes no console line any more");
                last.Send("6,1,1000,-;still here\n"u8);
                sent++;
                await Task.Delay(200, TestContext.Current.CancellationToken);
            }

            server.Refresh();
            Assert.InRange(server.WorkingSet64, 1, MostMemory);
            using (Process kill = Process.Start("kill", ["-TERM", server.Id.ToString()])) await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
            string all = await said;
            Assert.DoesNotContain("   at ", all, StringComparison.Ordinal); // no stack trace
            Match closing = Closing().Match(all);
            Assert.True(closing.Success, all);
            Assert.Equal(sent, long.Parse(closing.Groups["received"].Value) + long.Parse(closing.Groups["dropped"].Value));
            Assert.InRange(long.Parse(closing.Groups["received"].Value), Count / 10, long.MaxValue);
            await server.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Equal(0, server.ExitCode);
            foreach (Socket host in hosts) host.Dispose();
        }
        finally
        {
            if (!server.HasExited) server.Kill();
        }
    }

    private static Socket Connect(string from, int port)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        socket.Connect(IPAddress.Loopback, port);
        return socket;
    }

    [GeneratedRegex(@"listening on \S+:(?<port>\d+) ", RegexOptions.ExplicitCapture)]
    private static partial Regex Port();

    [GeneratedRegex(@"stopped: (?<received>\d+) datagrams, (?<dropped>\d+) dropped", RegexOptions.ExplicitCapture)]
    private static partial Regex Closing();
}
