using System.Net;
using Netdump.Server.Hooks;
using Netdump.Server.Options;
using Netdump.Server.Receivers;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;

namespace Netdump.Server;

/// <summary>The server, put together: store, hooks, settings and the engine with its receivers.</summary>
public sealed class NetdumpServer : IDisposable
{
    // systemd kills after 90 s, and most init scripts earlier.
    private static readonly TimeSpan WorkLimit = TimeSpan.FromSeconds(10);

    private readonly LiveOptions _options;
    private readonly DumpPort _port;
    private readonly UdpEngine _engine;
    private readonly ILogger _log;

    /// <summary>
    /// Prepares the store and opens the port; nothing is received before <see cref="Start"/>. Throws <see cref="StoreException"/> and
    /// <see cref="StartException"/> with one line each.
    /// </summary>
    public NetdumpServer(ServerOptions options, TimeProvider time, ILogger log)
    {
        _log = log;
        _options = new LiveOptions(options);
        CrashStore store = new(options.Store, time);
        _port = new DumpPort(store, new HookScripts(store, _options, log), _options, time, log);
        _engine = new UdpEngine(
            options.Listen, options.Port, options.EffectiveThreads, options.ReceiveBuffer, options.ReceiveNap, _port.MakeHandler, log);
        try
        {
            // Last, so that a server that cannot listen leaves no directory behind.
            store.Prepare();
        }
        catch
        {
            _engine.Dispose();
            throw;
        }
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint EndPoint => _engine.EndPoint;

    /// <summary>What the engine's threads have counted, summed up.</summary>
    public LaneCounters Counters => LaneCounters.Sum(_engine.Counters);

    /// <summary>What the dump port has refused.</summary>
    public DumpPortCounters Refused => _port.Counters;

    /// <summary>Begins to receive.</summary>
    public void Start()
    {
        _port.Resume(MonotonicClock.Now);
        _engine.Start();
        Log.Listening(_log, _engine.EndPoint, _options.Current.EffectiveThreads, Path.GetFullPath(_options.Current.Store));
        _port.Analyses.Resume(_port.Store);
    }

    /// <summary>
    /// Takes new settings: those that can change while receiving are in force at once, for the others a line says that they need a restart.
    /// </summary>
    public void Reload(ServerOptions fresh)
    {
        ServerOptions old = _options.Current;
        foreach (Setting setting in Settings.All)
            if (!setting.Reloads && !Equals(setting.Read(old), setting.Read(fresh)))
                Log.NeedsRestart(_log, setting.Key);
        _options.Current = old with
        {
            AllowedNetworks = fresh.AllowedNetworks,
            MaxConcurrentDumps = fresh.MaxConcurrentDumps,
            Secure = fresh.Secure,
            SpaceCheck = fresh.SpaceCheck,
            Ending = fresh.Ending,
            HookTimeout = fresh.HookTimeout,
            AnalysisTimeout = fresh.AnalysisTimeout,
            MaxHooks = fresh.MaxHooks,
        };
        Log.Reloaded(_log);
    }

    /// <summary>Ends reception: what is held is written, dumps stay as they are, to be gone on with by the next server.</summary>
    public void Stop()
    {
        Log.Stopping(_log);
        if (!_engine.Stop()) Log.StuckThread(_log);
        _port.Analyses.Dispose();
        if (!_port.Work.Wait(WorkLimit)) Log.StuckWork(_log);
        LaneCounters counters = Counters;
        Log.Stopped(_log, counters.Datagrams, counters.Dropped, Refused.Rejected, Refused.Junk);
    }

    /// <summary>Stops, if that was not done yet, and closes the port.</summary>
    public void Dispose()
    {
        _engine.Dispose();
        _port.Analyses.Dispose();
        _port.Work.Wait(WorkLimit);
    }
}
