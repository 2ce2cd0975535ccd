using System.Net;
using Netdump.Server.Hooks;
using Netdump.Server.Options;
using Netdump.Server.Receivers.Classic;
using Netdump.Server.Receivers.Console;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;
using Netdump.Server.Triage;

namespace Netdump.Server.Receivers;

/// <summary>What the threads of the dump port share, and how the handler of each is put together.</summary>
internal sealed class DumpPort
{
    private static readonly TimeSpan ViewPatience = TimeSpan.FromSeconds(10);

    private readonly ClassicContext _classic;
    private readonly HookScripts _hooks;
    private readonly TimeProvider _time;
    private readonly List<ClassicReceiver> _receivers = [];
    private readonly List<(Lane Lane, ConsoleReceiver Console)> _consoles = [];

    /// <summary>The dump port of a store.</summary>
    public DumpPort(CrashStore store, HookScripts hooks, LiveOptions options, TimeProvider time, ILogger log)
    {
        Store = store;
        Options = options;
        Log = log;
        Magics = new MagicFiles(store);
        _hooks = hooks;
        _time = time;
        BackgroundWork work = new();
        Analyses = new AnalysisQueue(options, work, log);
        _classic = new ClassicContext(store, Magics, hooks, options, time, log) { Work = work, Analyse = Analyses.Add };
    }

    /// <summary>Where crashes and consoles are kept.</summary>
    public CrashStore Store { get; }

    /// <summary>The settings in force.</summary>
    public LiveOptions Options { get; }

    /// <summary>The spoof guard of hosts.</summary>
    public MagicFiles Magics { get; }

    /// <summary>The server's log.</summary>
    public ILogger Log { get; }

    /// <summary>Analyses of finished dumps.</summary>
    public AnalysisQueue Analyses { get; }

    /// <summary>Disk work that runs beside the engine.</summary>
    public BackgroundWork Work => _classic.Work;

    /// <summary>What was refused, by all threads.</summary>
    public DumpPortCounters Counters { get; } = new();

    /// <summary>Makes the handler of one engine thread.</summary>
    public DatagramHandler MakeHandler(Lane lane, DatagramSender sender)
    {
        ConsoleReceiver console = new(Store, _time, Log, address =>
        {
            Server.Log.HostStarted(Log, address);
            _ = _hooks.RunAsync(HookName.Start, address, null);
        });
        ClassicReceiver classic = new(
            _classic, sender, lane, (peer, directory) => new CrashLog(directory, console.LogOf(peer), MonotonicClock.Now));
        _receivers.Add(classic);
        _consoles.Add((lane, console));
        return new DumpPortHandler(this, classic, console);
    }

    /// <summary>
    /// What the console of an address said, for a log that is kept elsewhere. Asked on the console's lane; one that gives no answer has nothing to
    /// say.
    /// </summary>
    public async Task<ConsoleView> ViewConsoleAsync(IPAddress address)
    {
        Peer peer = new(AddressKey.From(address), 0);
        (Lane lane, ConsoleReceiver console) = _consoles.First(c => c.Lane.Owns(peer.Key));
        TaskCompletionSource<ConsoleView> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lane.Post(() =>
        {
            try
            {
                answer.TrySetResult(console.LogOf(peer).View(MonotonicClock.Now).Elsewhere());
            }
            catch (Exception error)
            {
                answer.TrySetException(error);
            }
        });
        try
        {
            return await answer.Task.WaitAsync(ViewPatience);
        }
        catch (Exception error)
        {
            Server.Log.CrashError(Log, address, $"its console is not in the log of its crash: {error.Message}");
            return ConsoleView.Empty(Store, address, _time, Log);
        }
    }

    /// <summary>
    /// Goes on with the crashes that an earlier process left unfinished. After the handlers are made and before the engine starts, so that
    /// no START is answered by a new crash meanwhile.
    /// </summary>
    public void Resume(TimeSpan now)
    {
        foreach (CrashDirectory directory in Store.WithSession())
        {
            try
            {
                if (SessionFile.ReadHeader(directory.File(SessionFile.FileName)).State != SessionState.Ended)
                    Resume(directory, now);
            }
            catch (Exception error)
            {
                // Whatever lies there, the server starts, and leaves it as it is.
                Server.Log.NotResumed(Log, directory.Path, error.Message);
            }
        }
    }

    private void Resume(CrashDirectory directory, TimeSpan now)
    {
        StoredCrash stored = StoredCrash.Open(directory);
        try
        {
            IPAddress? local = stored.Header.Local is { } text && IPAddress.TryParse(text, out IPAddress? parsed) ? parsed : null;
            Peer peer = new(
                AddressKey.From(stored.Address), (ushort)stored.Header.Port, local is null ? default : AddressKey.From(local));
            MagicVerdict verdict = Magics.Check(peer.Address, stored.Header.Start.Magic, Options.Current.Secure, out ulong magic);
            if (verdict != MagicVerdict.Accepted || !Options.Current.AllowedNetworks.Contains(peer.Key))
                throw new InvalidDataException($"{peer.Address} is not allowed any more");
            _receivers.First(receiver => receiver.Owns(peer.Key)).Resume(stored, peer, magic, now);
        }
        catch
        {
            stored.Dispose();
            throw;
        }
    }
}
