using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Netdump.EndToEnd;

/// <summary>
/// A path on which the server is killed when so many datagrams of its client have passed since it was started, and which keeps what each
/// server process asked for.
/// </summary>
public sealed class KillingRelay : Relay
{
    private const int RequestBytes = 24;
    private const int SendMemory = 1;

    private readonly ManualResetEventSlim _settled = new();
    private readonly Dictionary<uint, uint> _pageOfNumber = [];
    private Action? _kill;
    private long _left;
    private volatile bool _dead;
    private bool _took;
    private int _quiet;

    public KillingRelay(int serverPort)
        : base(serverPort) => Start();

    /// <summary>Pages that the present server process has asked for, each with how many requests (numbers) it took.</summary>
    public Dictionary<uint, int> Asked { get; private set; } = [];

    /// <summary>Requests that were sent again with their number: their answer was late.</summary>
    public long Repeated { get; private set; }

    /// <summary>A server process begins: it is killed after so many datagrams of the client. No server runs at this moment.</summary>
    public void Begin(long datagrams, Action kill)
    {
        _settled.Reset();
        Asked = [];
        _pageOfNumber.Clear();
        _left = datagrams;
        _kill = kill;
        _dead = false;
    }

    /// <summary>Waits until the server is dead and all that it sent has passed.</summary>
    public bool WaitForDeath(TimeSpan limit) => _settled.Wait(limit);

    protected override void PassToServer(ReadOnlySpan<byte> datagram, Socket by, IPEndPoint to)
    {
        Send(datagram, by, to);
        if (_dead || --_left != 0 || _kill is null) return;
        _kill();
        _dead = true;
    }

    protected override void PassToClient(ReadOnlySpan<byte> datagram, Socket by, IPEndPoint to)
    {
        _took = true;
        if (datagram.Length == RequestBytes && BinaryPrimitives.ReadUInt32BigEndian(datagram[12..]) == SendMemory)
        {
            uint number = BinaryPrimitives.ReadUInt32BigEndian(datagram[8..]), page = BinaryPrimitives.ReadUInt32BigEndian(datagram[16..]);
            if (_pageOfNumber.TryAdd(number, page)) Asked[page] = Asked.GetValueOrDefault(page) + 1;
            else Repeated++;
        }

        Send(datagram, by, to);
    }

    protected override void Idle()
    {
        // The process is gone, so everything it sent lay here already when the second round began.
        _quiet = _dead && !_took ? _quiet + 1 : 0;
        if (_quiet == 2) _settled.Set();
        _took = false;
    }
}
