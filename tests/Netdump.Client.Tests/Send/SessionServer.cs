using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Netdump.Protocols.Classic;

namespace Netdump.Client.Tests.Send;

/// <summary>Our own server session on a socket, with memory for a disk.</summary>
internal sealed class SessionServer : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 20, ReceiveBufferSize = 4 << 20 };
    private readonly long _deadline = Environment.TickCount64 + 60_000;

    public SessionServer() => _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));

    public IPEndPoint Address => (IPEndPoint)_socket.LocalEndPoint!;

    /// <summary>Where the last datagram came from.</summary>
    public IPEndPoint? Client { get; private set; }

    public byte[] Memory { get; private set; } = [];

    public byte[] Header { get; private set; } = [];

    public byte[] Registers { get; private set; } = [];

    public HashSet<ulong> Holes { get; } = [];

    public HashSet<ulong> Unreadable { get; } = [];

    public StringBuilder Log { get; } = new();

    /// <summary>Datagrams that are no replies: console records.</summary>
    public List<byte[]> Records { get; } = [];

    /// <summary>How many of those came before the first page.</summary>
    public int RecordsBeforeMemory { get; private set; }

    public ClassicServerCounters Counters { get; private set; }

    public Task<ClassicEndReason> Serve(ClassicServerOptions? options = null) => Task.Factory.StartNew(
        () => Dump(options ?? new ClassicServerOptions { FinalInterval = TimeSpan.FromMilliseconds(20), StateQuiet = TimeSpan.FromMilliseconds(100) }),
        TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    public void Dispose() => _socket.Dispose();

    private ClassicEndReason Dump(ClassicServerOptions options)
    {
        ClassicServerSession? session = null;
        var packet = new byte[2048];
        var request = new byte[ClassicRequest.Size];
        EndPoint client = new IPEndPoint(IPAddress.Any, 0);
        while (true)
        {
            if (Environment.TickCount64 > _deadline)
                throw new TimeoutException("the dump takes too long");
            var now = Stopwatch.GetElapsedTime(0);
            var length = Receive(packet, ref client);
            ClassicReplyHeader reply = default;
            var isReply = length >= 0 && ClassicReplyHeader.TryRead(packet.AsSpan(0, length), out reply) && reply.Version is 4 or 5;
            if (length >= 0 && !isReply)
                Records.Add(packet[..length]);
            if (isReply)
            {
                var payload = packet.AsSpan(ClassicReplyHeader.Size, length - ClassicReplyHeader.Size);
                if (session is null && ClassicStart.TryParse(reply, payload, out var start))
                    session = new ClassicServerSession(start, options, 77, now);
                if (reply.Code == ClassicReplyCode.Log)
                    Log.Append(Encoding.UTF8.GetString(payload));
                session?.Receive(reply, payload, now);
            }
            if (session is null)
                continue;
            session.Advance(now);
            while (session.TryTakeEffect(out var effect))
                if (CarryOut(session, effect, now))
                    return effect.Reason;
            while (session.TryTakeRequest(out var next))
            {
                next.Write(request);
                _socket.SendTo(request, client);
            }
        }
    }

    private bool CarryOut(ClassicServerSession session, in ClassicServerEffect effect, TimeSpan now)
    {
        switch (effect.Kind)
        {
            case ClassicServerEffectKind.Prepared:
                Memory = new byte[session.PageCount * session.PageSize];
                Header = session.Header.ToArray();
                Registers = session.Registers.ToArray();
                session.BeginMemory(now);
                break;
            case ClassicServerEffectKind.Page:
                if (RecordsBeforeMemory == 0)
                    RecordsBeforeMemory = Records.Count;
                session.Page(effect).CopyTo(Memory.AsSpan((int)(effect.FirstPfn * session.PageSize)));
                break;
            case ClassicServerEffectKind.Hole:
                for (var page = effect.FirstPfn; page < effect.FirstPfn + effect.Count; page++)
                    Holes.Add(page);
                break;
            case ClassicServerEffectKind.Unreadable:
                Unreadable.Add(effect.FirstPfn);
                break;
            case ClassicServerEffectKind.StateComplete:
                session.Finish(now);
                break;
            case ClassicServerEffectKind.Ended:
                Counters = session.Counters;
                return true;
        }
        return false;
    }

    private int Receive(byte[] packet, ref EndPoint client)
    {
        try
        {
            EndPoint from = new IPEndPoint(IPAddress.Any, 0);
            var length = _socket.ReceiveFrom(packet, ref from);
            client = from;
            Client = (IPEndPoint)from;
            return length;
        }
        catch (SocketException)
        {
            return -1;
        }
    }
}
