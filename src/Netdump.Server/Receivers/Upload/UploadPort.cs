using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Netdump.Protocols.Keys;
using Netdump.Protocols.Upload;
using Netdump.Server.Receivers.Udp;

namespace Netdump.Server.Receivers.Upload;

/// <summary>
/// The secure port: HTTPS by Kestrel, without a host around it. TLS 1.3 and a client certificate of any P-256 key; whose it is each request asks.
/// Everything a peer may cost before that is bounded here: connections, time for the handshake and for headers, their size, the rate of a body.
/// </summary>
internal sealed class UploadPort : IDisposable
{
    /// <summary>Connections at once.</summary>
    public const int MostConnections = 512;

    /// <summary>Connections of one address at once; of one /64 in IPv6.</summary>
    public const int MostOfAddress = 64;

    private const int MostHeaderBytes = 8 << 10;
    private const int Backlog = 1024;
    private static readonly TimeSpan HandshakeLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan HeaderLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan IdleLimit = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(5);
    private static readonly MinDataRate SlowestBody = new(bytesPerSecond: 1024, gracePeriod: TimeSpan.FromSeconds(20));

    private readonly UploadContext _context;
    private readonly UploadCrashes _crashes;
    private readonly UploadRequests _requests;
    private readonly AddressLimits _limits = new(MostConnections, MostOfAddress);
    private readonly KestrelRefusals _refusals;
    private readonly WebApplication _web;
    private readonly Socket _socket;
    private TimeSpan _nextFullLine;
    private bool _started;
    private bool _stopped;

    /// <summary>The port over a socket of <see cref="Bind"/>; nothing is taken before <see cref="Start"/>.</summary>
    public UploadPort(Socket socket, UploadContext context)
    {
        _context = context;
        _crashes = new UploadCrashes(context);
        _refusals = new KestrelRefusals(context.Counters);
        _requests = new UploadRequests(context, _crashes, _limits, _refusals);
        _socket = socket;
        context.Policy.Receiving = _crashes.Receiving;
        EndPoint = (IPEndPoint)_socket.LocalEndPoint!;
        // Nothing of the framework but Kestrel: no configuration of its own, no routes, no log; signals are the business of the process.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Logging.SetMinimumLevel(LogLevel.None).AddFilter(KestrelRefusals.Category, LogLevel.Debug).AddProvider(_refusals);
        builder.WebHost.UseKestrelCore().UseSockets(sockets => (sockets.Backlog, sockets.CreateBoundListenSocket) = (Backlog, _ => socket)).ConfigureKestrel(Configure);
        builder.Services.AddSingleton<IMemoryPoolFactory<byte>, BodyMemory>(); // after Kestrel's own: the last counts
        _web = builder.Build();
        _web.Run(_requests.HandleAsync);
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint EndPoint { get; }

    /// <summary>What became of connections and requests.</summary>
    public UploadCounters Counters => _context.Counters;

    /// <summary>Begins to take connections, and goes on with what an earlier process left.</summary>
    public void Start()
    {
        _started = true;
        // Uploads that wait for the disk hold a thread each: the others must not wait for the pool to grow.
        ThreadPool.GetMinThreads(out int workers, out int completions);
        ThreadPool.SetMinThreads(Math.Max(workers, Environment.ProcessorCount + 8), completions);
        _crashes.Start();
        _web.StartAsync().GetAwaiter().GetResult();
        Log.ListeningSecurely(_context.Log, EndPoint, _context.Identity.Fingerprint.ToString());
    }

    /// <summary>Ends it: bodies are cut where they are, what came of them is kept, logs are written.</summary>
    public void Stop()
    {
        if (!_started || _stopped)
            return;
        _stopped = true;
        _crashes.CutAll();
        using CancellationTokenSource limit = new(StopLimit);
        try
        {
            _web.StopAsync(limit.Token).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            // Connections that did not end are cut.
        }

        _crashes.Stop();
        Log.UploadStopped(_context.Log, _context.Counters.Connections, _context.Counters.Requests, _context.Counters.Refused);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Stop();
        _web.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _socket.Dispose();
        _crashes.Dispose();
    }

    private void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestHeadersTotalSize = MostHeaderBytes;
        kestrel.Limits.MaxRequestHeaderCount = 40;
        kestrel.Limits.MaxRequestLineSize = 2 << 10;
        kestrel.Limits.MaxRequestBufferSize = 256 << 10;
        kestrel.Limits.MaxRequestBodySize = UploadPaths.LongestMessage;
        kestrel.Limits.RequestHeadersTimeout = HeaderLimit;
        kestrel.Limits.KeepAliveTimeout = IdleLimit;
        kestrel.Limits.MinRequestBodyDataRate = SlowestBody;
        kestrel.Listen(EndPoint, Configure);
    }

    private void Configure(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http1;
        listen.Use(next => connection => LimitAsync(connection, next));
        listen.UseHttps(new HttpsConnectionAdapterOptions
        {
            ServerCertificate = _context.Identity.Certificate,
            SslProtocols = SslProtocols.Tls13,
            HandshakeTimeout = HandshakeLimit,
            ClientCertificateMode = ClientCertificateMode.RequireCertificate,
            CheckCertificateRevocation = false,
            // Whose key it is, each request asks; names, dates and authorities mean nothing.
            ClientCertificateValidation = (certificate, _, _) => HostCertificate.TryRead(certificate.RawData, out _),
            OnAuthenticate = (_, tls) =>
            {
                tls.AllowTlsResume = false; // a resumed session would not prove possession of the key
                tls.CertificateChainPolicy = new X509ChainPolicy
                {
                    DisableCertificateDownloads = true, // a certificate names addresses to fetch from: a stranger's
                    RevocationMode = X509RevocationMode.NoCheck,
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    VerificationFlags = X509VerificationFlags.AllFlags,
                };
            },
        });
        listen.Use(next => connection =>
        {
            connection.Items[HandshakeDone] = HandshakeDone;
            return next(connection);
        });
    }

    private const string HandshakeDone = "netdump-handshake";

    private async Task LimitAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        AddressKey address = LimitedBy(((IPEndPoint)connection.RemoteEndPoint!).Address);
        if (_limits.Enter(address) is { } refusal)
        {
            _context.Counters.CountRefused(refusal);
            if (MonotonicClock.Now >= _nextFullLine)
            {
                _nextFullLine = MonotonicClock.Now + TimeSpan.FromMinutes(1);
                Log.TooManyConnections(_context.Log, _limits.Open);
            }

            connection.Abort();
            return;
        }

        _context.Counters.CountConnection();
        try
        {
            await next(connection);
        }
        finally
        {
            _limits.Leave(address);
            _refusals.Forget(connection.ConnectionId);
            if (!connection.Items.ContainsKey(HandshakeDone))
                _context.Counters.CountRefused("handshake");
        }
    }

    /// <summary>What limits count by: a host of IPv6 has as many addresses as it likes within its network.</summary>
    internal static AddressKey LimitedBy(IPAddress address)
    {
        AddressKey key = AddressKey.From(address);
        return key.IsIPv4 || address.IsIPv6LinkLocal ? key : new AddressKey(key.High, 0, 0);
    }

    /// <summary>Opens a port. Throws <see cref="StartException"/> with one line.</summary>
    public static Socket Bind(IPAddress listen, int port)
    {
        if (listen.Equals(IPAddress.IPv6Any) && !Socket.OSSupportsIPv6)
            listen = IPAddress.Any;
        Socket socket = new(listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (listen.Equals(IPAddress.IPv6Any))
                socket.DualMode = true;
            socket.Bind(new IPEndPoint(listen, port));
            return socket;
        }
        catch (SocketException e)
        {
            socket.Dispose();
            IPEndPoint endPoint = new(listen, port);
            throw new StartException(
                e.SocketErrorCode switch
                {
                    SocketError.AddressAlreadyInUse => $"tcp port {port} is in use by another program ({endPoint}): stop it or choose another with --secure-port N, or none",
                    SocketError.AddressNotAvailable => $"{listen} is not an address of this machine: choose another with --listen ADDR",
                    SocketError.AccessDenied => $"no permission to listen on tcp port {port}: choose one above 1023 with --secure-port N",
                    _ => $"cannot listen on {endPoint}: {e.Message}",
                },
                e);
        }
    }

    /// <summary>The process around the server has its own.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
