using Microsoft.Extensions.Time.Testing;
using Netdump.Server.Hooks;
using Netdump.Server.Options;
using Netdump.Server.Receivers.Classic;
using Netdump.Server.Receivers.Console;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Classic;

/// <summary>
/// A receiver with a real store, real hooks and a network in memory that loses and reorders. Time of sessions is made: it passes
/// only while nothing is under way, disk work included: on a busy machine that takes long, and sessions must not time out meanwhile.
/// Hooks take real time.
/// </summary>
internal sealed class Simulation : IDisposable
{
    private readonly Random _random;
    private readonly double _loss;
    private readonly Lane _lane = new();
    private readonly List<(Peer To, byte[] Datagram)> _toClients = [];
    private readonly List<(Peer From, byte[] Datagram)> _toServer = [];

    public Simulation(int seed = 1, double loss = 0, ServerOptions? options = null, Func<string, long>? freeSpace = null, int answerRoom = 16 << 20)
    {
        _random = new Random(seed);
        _loss = loss;
        Root = Directory.CreateTempSubdirectory("netdump-classic-").FullName;
        Directory.CreateDirectory(Path.Combine(Root, "scripts"));
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
        Store = new CrashStore(Root, time);
        var live = new LiveOptions(options ?? new ServerOptions { Store = Root });
        var context = new ClassicContext(Store, new MagicFiles(Store), new HookScripts(Store, live, Log), live, time, Log);
        if (freeSpace is not null)
            context = context with { FreeSpace = freeSpace };
        Context = context;
        Console = new ConsoleReceiver(Store, time, Log, _ => { });
        Receiver = new ClassicReceiver(context, new Sender(this, answerRoom), _lane, (peer, directory) => new CrashLog(directory, Console.LogOf(peer), Now));
    }

    public string Root { get; }

    public CrashStore Store { get; }

    public ClassicContext Context { get; }

    public ClassicReceiver Receiver { get; }

    public ConsoleReceiver Console { get; }

    public CapturedLog Log { get; } = new();

    public List<SimulatedClient> Clients { get; } = [];

    public TimeSpan Now { get; private set; }

    /// <summary>How far time moves when nothing is under way.</summary>
    public TimeSpan Pace { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Most datagrams that were on their way to the server at once.</summary>
    public int MostWaiting { get; set; }

    /// <summary>Datagrams that the server sent.</summary>
    public int Sent { get; private set; }

    /// <summary>LOG datagrams that belonged to no crash.</summary>
    public int Unclaimed { get; private set; }

    public string[] CrashDirectories => [.. Directory.GetDirectories(Root, "*-2026-*").Order(StringComparer.Ordinal)];

    /// <summary>Lines the hook scripts wrote: name and arguments.</summary>
    public string[] HookLines => File.Exists(HookFile) ? File.ReadAllLines(HookFile) : [];

    private string HookFile => Path.Combine(Root, "hooks.txt");

    /// <summary>Installs a hook that notes its call and then does something.</summary>
    public void AddHook(string name, string then = ":")
    {
        string path = Path.Combine(Root, "scripts", name);
        ExecutableFile.Write(path, $"#!/bin/sh\necho {name} \"$@\" >> {HookFile}\n{then}\n");
    }

    public void Send(in Peer from, byte[] datagram) => _toServer.Add((from, datagram));

    /// <summary>Runs until a condition holds; fails after some minutes.</summary>
    public async Task RunUntil(Func<bool> done)
    {
        long began = Environment.TickCount64;
        while (!done())
        {
            if (Environment.TickCount64 - began > 240_000)
                throw new TimeoutException("the simulation did not get there:\n" + string.Join('\n', Log.Lines));
            if (Step())
                continue;
            // Work that has ended has posted its result: only then may time pass.
            if (!Context.Work.Wait(TimeSpan.Zero) || Step())
            {
                await Task.Delay(1);
                continue;
            }

            Now += Pace;
            await Task.Delay(1);
        }
    }

    /// <summary>Runs until every crash is closed and every client has rebooted.</summary>
    public Task RunToTheEnd() => RunUntil(() => Receiver.OpenCrashes == 0 && Clients.All(client => client.Rebooted || client.IsSilent));

    public void Dispose()
    {
        Receiver.Stop();
        Console.Stop();
        Directory.Delete(Root, recursive: true);
    }

    private bool Step()
    {
        bool moved = _lane.RunPosted() > 0;
        Receiver.Advance(Now);
        foreach (SimulatedClient client in Clients)
        {
            client.Advance(Now);
            while (client.Outgoing.TryDequeue(out byte[]? datagram))
                _toServer.Add((client.Peer, datagram));
        }

        MostWaiting = Math.Max(MostWaiting, _toServer.Count);
        moved |= _toServer.Count + _toClients.Count > 0;
        foreach ((Peer from, byte[] datagram) in Shuffled(_toServer))
            Unclaimed += Receiver.Receive(datagram, from, Now) ? 0 : 1;
        foreach ((Peer to, byte[] datagram) in Shuffled(_toClients))
        {
            foreach (SimulatedClient client in Clients.Where(client => client.Peer == to).ToArray())
                client.Receive(datagram, Now);
        }

        return moved;
    }

    /// <summary>What arrives of the datagrams, in what order; the network loses nothing and keeps the order when its loss is 0.</summary>
    private (Peer Peer, byte[] Datagram)[] Shuffled(List<(Peer, byte[])> sent)
    {
        (Peer, byte[])[] arrived = [.. sent.Where(_ => _loss == 0 || _random.NextDouble() >= _loss)];
        sent.Clear();
        if (_loss != 0)
            _random.Shuffle(arrived);
        return arrived;
    }

    private sealed class Sender(Simulation simulation, int answerRoom) : DatagramSender
    {
        public override int AnswerRoom => answerRoom;

        public override void Send(in Peer peer, ReadOnlySpan<byte> datagram)
        {
            simulation.Sent++;
            simulation._toClients.Add((peer, datagram.ToArray()));
        }
    }
}
