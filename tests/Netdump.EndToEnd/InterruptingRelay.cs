using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Netdump.EndToEnd;

/// <summary>
/// A path on which something is done, once so many datagrams of the clients have passed since a server was started, while the path stands
/// still; and which keeps what each server process asked for.
/// </summary>
public sealed class InterruptingRelay : Relay
{
    private const int RequestBytes = 24;
    private const int SendMemory = 1;

    private readonly ManualResetEventSlim _settled = new();
    private readonly Dictionary<uint, uint> _pageOfNumber = [];
    private Action? _act;
    private long _left;
    private volatile bool _done;
    private bool _took;
    private int _quiet;

    public InterruptingRelay(int serverPort)
        : base(serverPort) => Start();

    /// <summary>Pages that the present server process has asked for, each with how many requests (numbers) it took.</summary>
    public Dictionary<uint, int> Asked { get; private set; } = [];

    /// <summary>Requests that were sent again with their number: their answer was late.</summary>
    public long Repeated { get; private set; }

    /// <summary>Why the action failed; null if it did not.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>A server process begins: so many datagrams of clients are let pass, then <paramref name="act"/> is called on the relay's thread. No server runs at this moment.</summary>
    public void Begin(long datagrams, Action act)
    {
        _settled.Reset();
        Asked = [];
        _pageOfNumber.Clear();
        _left = datagrams;
        _act = act;
        _done = false;
    }

    /// <summary>Waits until it was done, and nothing comes from the server any more: all that a dead one had sent has passed.</summary>
    public bool WaitForQuiet(TimeSpan limit) => _settled.Wait(limit);

    protected override void PassToServer(ReadOnlySpan<byte> datagram, Socket by, IPEndPoint to)
    {
        Send(datagram, by, to);
        if (_done || --_left != 0 || _act is null) return;
        try
        {
            _act();
        }
        catch (Exception e)
        {
            Failure = e; // the test sees it by what then does not come; its process must not end
        }

        _done = true;
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
        // Everything that a process sent which is gone lay here already when the second round began.
        _quiet = _done && !_took ? _quiet + 1 : 0;
        if (_quiet == 2) _settled.Set();
        _took = false;
    }
}
