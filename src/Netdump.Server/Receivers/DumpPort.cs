using Netdump.Server.Hooks;
using Netdump.Server.Options;
using Netdump.Server.Receivers.Classic;
using Netdump.Server.Receivers.Console;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers;

/// <summary>What the threads of the dump port share, and how the handler of each is put together.</summary>
internal sealed class DumpPort
{
    private readonly ClassicContext _classic;
    private readonly HookScripts _hooks;
    private readonly TimeProvider _time;

    /// <summary>The dump port of a store.</summary>
    public DumpPort(CrashStore store, HookScripts hooks, LiveOptions options, TimeProvider time, ILogger log)
    {
        Store = store;
        Options = options;
        Log = log;
        Magics = new MagicFiles(store);
        _hooks = hooks;
        _time = time;
        _classic = new ClassicContext(store, Magics, hooks, options, time, log);
    }

    /// <summary>Where crashes and consoles are kept.</summary>
    public CrashStore Store { get; }

    /// <summary>The settings in force.</summary>
    public LiveOptions Options { get; }

    /// <summary>The spoof guard of hosts.</summary>
    public MagicFiles Magics { get; }

    /// <summary>The server's log.</summary>
    public ILogger Log { get; }

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
        return new DumpPortHandler(this, classic, console);
    }
}
