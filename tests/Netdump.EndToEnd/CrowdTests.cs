using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace Netdump.EndToEnd;

/// <summary>A hundred hosts crash at once while a thousand others talk: every byte arrives where it belongs, in bounded memory.</summary>
public sealed partial class CrowdTests
{
    private const int Dumps = 100;
    private const int Pages = 512; // 2 MiB, other bytes from each host
    private const int Talkers = 1000;
    private const int Lines = 20;
    private const int MostMemoryKiB = 300 * 1024;
    private const int MostWaiting = 1 << 20; // bytes in the server's sockets before more is said: consoles have no flow control of their own
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);

    [Fact]
    public void A_hundred_dumps_at_once_and_a_thousand_consoles_arrive_whole_in_300_MiB()
    {
        string scratch = Workspace.Scratch();
        using DumpServer server = new(Path.Combine(scratch, "crash"));
        for (int host = 0; host < Dumps; host++) Workspace.WriteCore(Core(scratch, host), Pages, seed: host);
        Command[] sends = [.. Enumerable.Range(0, Dumps).Select(host => Send(scratch, server, host))];
        List<string>[] said;
        try
        {
            said = Talk(server);
            Assert.All(sends, send => Assert.True(send.WaitForExit(Limit) == 0, send.Output + "\n" + server.Output));
        }
        finally
        {
            foreach (Command send in sends) send.Dispose();
        }

        server.WaitFor(() => LogComplete().Count(server.Output) == Dumps, Limit);
        int peak = PeakMemoryKiB(server.Id);
        long dropped = Sockets(server.Port).Sum(s => s.Dropped);
        TestContext.Current.TestOutputHelper?.WriteLine($"{peak / 1024} MiB at most, {dropped} datagrams dropped by the kernel");
        Assert.Equal(0, server.Stop());
        Assert.Equal(0, dropped);
        server.WaitForLine(@"stopped: \d+ datagrams, 0 dropped by the kernel, 0 rejected, 0 junk", Limit);
        Assert.InRange(peak, 1, MostMemoryKiB);

        Assert.Equal(Dumps, server.Crashes.Length);
        for (int host = 0; host < Dumps; host++)
        {
            string crash = Assert.Single(server.Crashes, c => Path.GetFileName(c).StartsWith(Crashing(host) + "-", StringComparison.Ordinal));
            Assert.True(File.ReadAllBytes(Core(scratch, host)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(crash, "vmcore"))), crash);
        }

        for (int host = 0; host < Talkers; host++)
        {
            string file = Assert.Single(Directory.GetFiles(Path.Combine(server.Store, "console", Talking(host)), "*.log"));
            Assert.Equal(["-- boot --", .. said[host]], File.ReadAllLines(file));
        }

        Directory.Delete(scratch, recursive: true);
    }

    private static string Crashing(int host) => $"127.1.{host / 10}.{1 + (host % 10)}";

    private static string Talking(int host) => $"127.2.{host / 250}.{1 + (host % 250)}";

    private static string Core(string scratch, int host) => Path.Combine(scratch, $"vmcore-{host}");

    // Each datagram by itself: so they take the most room in the server's socket.
    private static Command Send(string scratch, DumpServer server, int host) => new(
        Workspace.Client,
        ["send", Core(scratch, host), "--classic", "--server", $"127.0.0.1:{server.Port}", "--local-address", Crashing(host), "--plain", "--timeout", "200"]);

    /// <summary>
    /// Each host says a line, then each the next, every other one in extended records. Their clocks go as ours does, or the server would take
    /// them for rebooted. Gives the lines of each.
    /// </summary>
    private static List<string>[] Talk(DumpServer server)
    {
        IPEndPoint to = new(IPAddress.Loopback, server.Port);
        Stopwatch clock = Stopwatch.StartNew();
        List<string>[] said = [.. Enumerable.Range(0, Talkers).Select(_ => new List<string>())];
        Socket[] hosts = [.. Enumerable.Range(0, Talkers).Select(Open)];
        try
        {
            for (int line = 0; line < Lines; line++)
            {
                for (int host = 0; host < Talkers; host++)
                {
                    if (host % 100 == 0) server.WaitFor(() => Sockets(server.Port).All(s => s.Waiting < MostWaiting), Limit);
                    long now = (long)clock.Elapsed.TotalMicroseconds;
                    string text = $"host {host} says line {line}", shown = $"[{now / 1_000_000,5}.{now % 1_000_000:d6}] {text}";
                    said[host].Add(shown);
                    hosts[host].SendTo(Encoding.ASCII.GetBytes((host % 2 == 0 ? shown : $"6,{line},{now},-;{text}") + "\n"), to);
                }
            }
        }
        finally
        {
            foreach (Socket host in hosts) host.Dispose();
        }

        return said;
    }

    private static Socket Open(int host)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(Talking(host)), 6665));
        return socket;
    }

    /// <summary>The sockets on a port as the kernel sees them: bytes that wait, and datagrams that found no room (/proc/net/udp, udp6).</summary>
    private static IEnumerable<(long Waiting, long Dropped)> Sockets(int port)
    {
        foreach (string table in new[] { "/proc/net/udp", "/proc/net/udp6" })
        {
            foreach (string line in File.ReadAllLines(table).Skip(1))
            {
                string[] field = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (field[1].EndsWith($":{port:X4}", StringComparison.Ordinal))
                    yield return (long.Parse(field[4].Split(':')[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture), long.Parse(field[^1], CultureInfo.InvariantCulture));
            }
        }
    }

    private static int PeakMemoryKiB(int process) => int.Parse(
        PeakMemory().Match(File.ReadAllText($"/proc/{process}/status")).Groups["kib"].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^VmHWM:\s+(?<kib>\d+) kB", RegexOptions.Multiline)]
    private static partial Regex PeakMemory();

    [GeneratedRegex("log complete")]
    private static partial Regex LogComplete();
}
