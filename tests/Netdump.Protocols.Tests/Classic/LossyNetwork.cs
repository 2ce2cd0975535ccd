namespace Netdump.Protocols.Tests.Classic;

/// <summary>One direction of a simulated network: loses, duplicates and reorders datagrams, by a seed.</summary>
internal sealed class LossyNetwork(int seed, double loss, double duplication, double reordering)
{
    private readonly Random _random = new(seed);
    private readonly PriorityQueue<byte[], (TimeSpan, int)> _flying = new();
    private int _order;

    public int Sent { get; private set; }

    public TimeSpan NextArrival => _flying.TryPeek(out _, out (TimeSpan At, int) first) ? first.At : TimeSpan.MaxValue;

    public void Send(ReadOnlySpan<byte> datagram, TimeSpan now)
    {
        Sent++;
        for (int copies = _random.NextDouble() < duplication ? 2 : 1; copies > 0; copies--)
        {
            if (_random.NextDouble() < loss)
                continue;
            double delay = 0.2 + (_random.NextDouble() < reordering ? _random.NextDouble() * 5 : 0);
            _flying.Enqueue(datagram.ToArray(), (now + TimeSpan.FromMilliseconds(delay), _order++));
        }
    }

    public bool TryReceive(TimeSpan now, out byte[] datagram)
    {
        datagram = [];
        return NextArrival <= now && _flying.TryDequeue(out datagram!, out _);
    }
}
