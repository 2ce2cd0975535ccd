using System.Net;
using System.Net.Sockets;

namespace Netdump.EndToEnd;

/// <summary>
/// A bad network between a client and a server on the loopback: both ways it loses datagrams, sends some twice and lets later ones
/// overtake some. Which of them is drawn from a fixed seed, so that each run meets the same fates in the same order.
/// </summary>
public sealed class LossyRelay : Relay
{
    private const double Share = 0.05; // of all datagrams, for each of the three
    private const int MostOvertaken = 8;
    private static readonly TimeSpan LongestHold = TimeSpan.FromMilliseconds(20); // when nothing comes to overtake

    private readonly Direction _toServer;
    private readonly Direction _toClient;

    public LossyRelay(int serverPort, int seed)
        : base(serverPort)
    {
        _toServer = new Direction(seed);
        _toClient = new Direction(seed + 1);
        Start();
    }

    /// <summary>What was done to datagrams of the clients; to be read after <see cref="Relay.Dispose"/>.</summary>
    public (long All, long Lost, long Doubled, long Overtaken) ToServer => _toServer.Counts;

    /// <summary>What was done to datagrams of the server.</summary>
    public (long All, long Lost, long Doubled, long Overtaken) ToClient => _toClient.Counts;

    protected override void PassToServer(ReadOnlySpan<byte> datagram, Socket by, IPEndPoint to) => _toServer.Pass(datagram, by, to);

    protected override void PassToClient(ReadOnlySpan<byte> datagram, Socket by, IPEndPoint to) => _toClient.Pass(datagram, by, to);

    protected override void Idle()
    {
        _toServer.ReleaseOld();
        _toClient.ReleaseOld();
    }

    private sealed class Direction(int seed)
    {
        private readonly Random _random = new(seed);
        private readonly List<Held> _held = [];
        private long _all;
        private long _lost;
        private long _doubled;
        private long _overtaken;

        public (long All, long Lost, long Doubled, long Overtaken) Counts => (_all, _lost, _doubled, _overtaken);

        public void Pass(ReadOnlySpan<byte> datagram, Socket by, IPEndPoint to)
        {
            _all++;
            switch (_random.NextDouble())
            {
                case < Share:
                    _lost++;
                    break;
                case < 2 * Share:
                    _doubled++;
                    Send(datagram, by, to);
                    Send(datagram, by, to);
                    break;
                case < 3 * Share:
                    _overtaken++;
                    _held.Add(new Held(datagram.ToArray(), by, to, _all + _random.Next(1, MostOvertaken + 1), Environment.TickCount64));
                    break;
                default:
                    Send(datagram, by, to);
                    break;
            }

            Release(held => held.Until <= _all);
        }

        public void ReleaseOld()
        {
            long now = Environment.TickCount64;
            Release(held => now - held.At >= LongestHold.TotalMilliseconds);
        }

        private void Release(Predicate<Held> due)
        {
            foreach (Held held in _held)
                if (due(held)) Send(held.Datagram, held.By, held.To);
            _held.RemoveAll(due);
        }
    }

    private sealed record Held(byte[] Datagram, Socket By, IPEndPoint To, long Until, long At);
}
