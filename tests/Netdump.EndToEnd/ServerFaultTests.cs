using System.Text.Json;

namespace Netdump.EndToEnd;

/// <summary>The server is killed in the midst of a dump.</summary>
public sealed class ServerFaultTests
{
    private const int Kills = 20;
    private const int Window = 256; // most pages that a server asks our client at once
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    [Fact]
    public void A_server_killed_at_20_random_points_of_a_dump_loses_nothing_and_asks_nothing_again_that_it_had()
    {
        const int pages = 24_000;
        int seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        string scratch = Workspace.Scratch(), core = Path.Combine(scratch, "vmcore"), store = Path.Combine(scratch, "crash");
        Workspace.WriteCore(core, pages);
        int port = DumpServer.FreePort();
        using InterruptingRelay relay = new(port);
        using Command send = new(Workspace.Client, ["send", core, "--classic", "--server", $"127.0.0.1:{relay.Port}"]);
        HashSet<uint> asked = [];
        HashSet<uint> had = [];
        int again = 0;
        foreach (long datagrams in Points(seed, 4 * pages))
        {
            TaskCompletionSource<DumpServer> started = new();
            relay.Begin(datagrams, () => started.Task.Result.Kill());
            using DumpServer server = DumpServer.Begin(store, port); // it may be dead before it could say that it listens
            started.SetResult(server);
            Assert.True(relay.WaitForQuiet(Limit), $"seed {seed}: {send.Output}\n{server.Output}");
            Assert.Null(relay.Failure);
            again += Judge(relay.Asked, asked, had, seed);
            HashSet<uint> now = Received(store);
            Assert.True(now.IsSupersetOf(had), $"seed {seed}: pages were lost");
            had = now;
        }

        relay.Begin(long.MaxValue, () => { });
        using DumpServer last = DumpServer.Begin(store, port);
        Assert.True(send.WaitForExit(Limit) == 0, $"seed {seed}: {send.Output}\n{last.Output}");
        last.WaitForLine("log complete", Limit);
        again += Judge(relay.Asked, asked, had, seed);
        TestContext.Current.TestOutputHelper?.WriteLine($"{again} pages asked again, {relay.Repeated} requests repeated");
        Assert.All(Enumerable.Range(Workspace.FirstPage, pages), page => Assert.Contains((uint)page, asked));
        // A window in flight, and one whose answers came with the last batch, before the map was saved.
        Assert.InRange(again, 1, Kills * 2 * Window);
        Assert.True(
            File.ReadAllBytes(core).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(Assert.Single(last.Crashes), "vmcore"))), $"seed {seed}");
        Assert.Equal(0, last.Stop());
        Directory.Delete(scratch, recursive: true);
    }

    /// <summary>Where a dump of so many datagrams is cut: the lengths between the points, one for each kill, the last part left over.</summary>
    private static IEnumerable<long> Points(int seed, int datagrams)
    {
        Random random = new(seed);
        long[] points = [.. Enumerable.Range(0, Kills).Select(_ => (long)random.Next(1, datagrams)).Order()];
        return points.Select((point, i) => Math.Max(1, point - (i == 0 ? 0 : points[i - 1])));
    }

    /// <summary>What one server process asked for: nothing twice, and nothing that it had found in the session file. Gives how much of it was asked before.</summary>
    private static int Judge(Dictionary<uint, int> now, HashSet<uint> before, HashSet<uint> had, int seed)
    {
        Assert.True(now.Values.All(numbers => numbers == 1), $"seed {seed}: a page was asked twice by one process");
        Assert.False(had.Overlaps(now.Keys), $"seed {seed}: a page was asked that the session file had");
        int again = now.Keys.Count(before.Contains);
        before.UnionWith(now.Keys);
        return again;
    }

    /// <summary>The pages that the session file names: a header of 4 KiB, then a bit for each page in blocks of 4 KiB (SessionFile).</summary>
    private static HashSet<uint> Received(string store)
    {
        const int block = 4096;
        HashSet<uint> pages = [];
        string[] files = Directory.Exists(store) ? Directory.GetFiles(store, ".session", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None }) : [];
        if (files.Length == 0) return pages; // killed before its first word
        byte[] session = File.ReadAllBytes(Assert.Single(files));
        using JsonDocument header = JsonDocument.Parse(session.AsMemory(0, block));
        if (header.RootElement.GetProperty("state").GetString() != "Receiving") return pages;
        uint count = header.RootElement.GetProperty("pageCount").GetUInt32();
        for (uint page = 0; page < count; page++)
            if ((session[block + (page / 8)] & (1 << (int)(page % 8))) != 0) pages.Add(page);
        return pages;
    }
}
