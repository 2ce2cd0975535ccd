using System.Net;
using System.Net.Sockets;
using Netdump.Protocols.Keys;
using Netdump.Server.Enrolment;
using Netdump.Server.Hooks;
using Netdump.Server.Options;
using Netdump.Server.Receivers;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Receivers.Upload;
using Netdump.Server.Store;
using Netdump.Server.Triage;

namespace Netdump.Server;

/// <summary>The server, put together: store, hooks, settings and the engine with its receivers.</summary>
public sealed class NetdumpServer : IDisposable
{
    // systemd kills after 90 s, and most init scripts earlier.
    private static readonly TimeSpan WorkLimit = TimeSpan.FromSeconds(10);

    private readonly LiveOptions _options;
    private readonly DumpPort _port;
    private readonly UdpEngine _engine;
    private readonly SignatureIndex _signatures;
    private readonly UploadPort? _uploads;
    private readonly ServerIdentity? _identity;
    private readonly ILogger _log;

    /// <summary>
    /// Prepares the store and opens the port; nothing is received before <see cref="Start"/>. Throws <see cref="StoreException"/> and
    /// <see cref="StartException"/> with one line each.
    /// </summary>
    public NetdumpServer(ServerOptions options, TimeProvider time, ILogger log)
        : this(options, time, log, context => context)
    {
    }

    /// <summary>The same with other limits of uploads, for tests.</summary>
    internal NetdumpServer(ServerOptions options, TimeProvider time, ILogger log, Func<UploadContext, UploadContext> change)
    {
        _log = log;
        _options = new LiveOptions(options);
        CrashStore store = new(options.Store, time);
        HookScripts hooks = new(store, _options, log);
        _signatures = new SignatureIndex(time);
        _port = new DumpPort(store, hooks, _options, time, log);
        _port.Analyses.Done += _signatures.Add;
        _engine = new UdpEngine(
            options.Listen, options.Port, options.EffectiveThreads, options.ReceiveBuffer, options.ReceiveNap, _port.MakeHandler, log);
        try
        {
            Socket? secure = options.SecurePort is { } port ? UploadPort.Bind(options.Listen, port) : null;
            // Last, so that a server that cannot listen leaves no directory behind.
            store.Prepare();
            if (secure is not null)
            {
                _identity = ServerIdentity.Load(store);
                _uploads = new UploadPort(secure, change(new UploadContext(store, _identity, new EnrolledHosts(store, time), hooks, _options, time, log)
                {
                    Work = _port.Work,
                    Analyse = _port.Analyses.Add,
                    ViewConsole = _port.ViewConsoleAsync,
                    Policy = new CrashPolicy(_options, _signatures),
                }));
            }
        }
        catch
        {
            _engine.Dispose();
            throw;
        }
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint EndPoint => _engine.EndPoint;

    /// <summary>Where uploads are taken; null when they are not.</summary>
    public IPEndPoint? SecureEndPoint => _uploads?.EndPoint;

    /// <summary>What hosts pin; null when uploads are not taken.</summary>
    public KeyFingerprint? Fingerprint => _identity?.Fingerprint;

    /// <summary>What the secure port has refused; null when there is none.</summary>
    public UploadCounters? UploadsRefused => _uploads?.Counters;

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
        try
        {
            _signatures.Load(_port.Store);
        }
        catch (IOException error)
        {
            Log.AnalysesNotResumed(_log, error.Message);
        }

        _uploads?.Start();
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
            DumpLevel = fresh.DumpLevel,
            SameDumps = fresh.SameDumps,
        };
        Log.Reloaded(_log);
    }

    /// <summary>Ends reception: what is held is written, dumps stay as they are, to be gone on with by the next server.</summary>
    public void Stop()
    {
        Log.Stopping(_log);
        _uploads?.Stop();
        if (!_engine.Stop()) Log.StuckThread(_log);
        _port.Analyses.Dispose();
        if (!_port.Work.Wait(WorkLimit)) Log.StuckWork(_log);
        LaneCounters counters = Counters;
        Log.Stopped(_log, counters.Datagrams, counters.Dropped, Refused.Rejected, Refused.Junk);
    }

    /// <summary>Stops, if that was not done yet, and closes the port.</summary>
    public void Dispose()
    {
        _uploads?.Dispose();
        _engine.Dispose();
        _port.Analyses.Dispose();
        _port.Work.Wait(WorkLimit);
        _identity?.Dispose();
    }
}
