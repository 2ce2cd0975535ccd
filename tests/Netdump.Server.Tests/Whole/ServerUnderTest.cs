using System.Net;
using System.Net.Sockets;
using Netdump.Server.Options;
using Netdump.Server.Receivers.Upload;
using Netdump.Server.Tests.Classic;

namespace Netdump.Server.Tests.Whole;

/// <summary>The whole server in this process, on a real socket of the loopback and a store of its own.</summary>
internal sealed class ServerUnderTest : IDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly Func<UploadContext, UploadContext> _uploads;

    public ServerUnderTest(Func<ServerOptions, ServerOptions>? change = null, Func<UploadContext, UploadContext>? uploads = null)
    {
        _uploads = uploads ?? (context => context);
        Root = Directory.CreateTempSubdirectory("netdump-whole-").FullName;
        Options = new ServerOptions { Store = Path.Combine(Root, "crash"), Listen = IPAddress.Loopback, Port = 0, SecurePort = null, Threads = 2, Analyser = "none" };
        if (change is not null) Options = change(Options);
        Server = new NetdumpServer(Options, TimeProvider.System, Log, _uploads);
        Server.Start();
    }

    public string Root { get; }

    public ServerOptions Options { get; }

    public NetdumpServer Server { get; private set; }

    public LogLines Log { get; } = new();

    /// <summary>Ends the server as SIGTERM does and starts another on its port and store.</summary>
    public void Restart()
    {
        ServerOptions options = Options with { Port = Server.EndPoint.Port, SecurePort = Server.SecureEndPoint?.Port };
        Server.Dispose();
        Server = new NetdumpServer(options, TimeProvider.System, Log, _uploads);
        Server.Start();
    }

    /// <summary>Directories of crashes, oldest first.</summary>
    public string[] Crashes => [.. Directory.GetDirectories(Options.Store, "*-*-*").Order()];

    public Socket Connect(string from = "127.0.0.1", int port = 0)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), port));
        socket.Connect(Server.EndPoint);
        return socket;
    }

    /// <summary>Lets a simulated host talk to the server until something has happened.</summary>
    public void Drive(SimulatedClient client, Socket socket, Func<bool> done)
    {
        byte[] datagram = new byte[2048];
        TimeSpan end = MonotonicClock.Now + Limit;
        socket.ReceiveTimeout = 20;
        while (!done())
        {
            TimeSpan now = MonotonicClock.Now;
            Assert.True(now < end, "in time; the log says:\n" + string.Join('\n', Log.Lines));
            client.Advance(now);
            while (client.Outgoing.TryDequeue(out byte[]? reply)) socket.Send(reply);
            try
            {
                client.Receive(datagram.AsSpan(0, socket.Receive(datagram)), now);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
            {
                // Nothing came: timers.
            }
        }
    }

    public void WaitFor(Func<bool> done) =>
        Assert.True(SpinWait.SpinUntil(done, Limit), "in time; the log says:\n" + string.Join('\n', Log.Lines));

    public void WaitForDatagrams(long count) => WaitFor(() => Server.Counters.Datagrams >= count);

    public void Hook(string name, string body)
    {
        string directory = Directory.CreateDirectory(Path.Combine(Options.Store, "scripts")).FullName;
        string path = Path.Combine(directory, name);
        ExecutableFile.Write(path, "#!/bin/sh\n" + body + "\n");
    }

    public void Dispose()
    {
        Server.Dispose();
        Directory.Delete(Root, recursive: true);
    }
}
