using System.Buffers.Binary;
using System.Text;
using Netdump.Fuzz.Tests.Engine;
using Netdump.Fuzz.Tests.Targets;
using Netdump.Protocols.Classic;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Tests.Classic;

namespace Netdump.Server.Tests.Hostile;

/// <summary>Datagrams nobody should send, and recorded ones, changed or not; the same seed makes the same ones.</summary>
internal sealed class HostileTraffic
{
    /// <summary>Most addresses that console text comes from: each has files.</summary>
    public const int Talkers = 200;

    private static readonly byte[][] Tokens =
    [
        .. new[] { ",ncfrag=0/24;", "6,1,1,-;", "task_struct:0x1 ", "netdump_magic:0x7", "ext:1", "[    0.000000] Linux version ", "\n" }.Select(Encoding.ASCII.GetBytes),
    ];

    private readonly Random _random;
    private readonly Mutator _mutator;
    private readonly List<byte[]> _recorded = [.. Recordings.All];

    public HostileTraffic(int seed)
    {
        _random = new Random(seed);
        _mutator = new Mutator(seed, Tokens, maximum: 1500);
        _recorded.AddRange(Classic());
    }

    /// <summary>Takes what a client really said into the recordings, sometimes.</summary>
    public void Record(byte[] datagram)
    {
        if (_recorded.Count < 4000) _recorded.Add(datagram);
        else if (_random.Next(8) == 0) _recorded[_random.Next(_recorded.Count)] = datagram;
    }

    /// <summary>The next datagram.</summary>
    public byte[] Next()
    {
        switch (_random.Next(8))
        {
            case 0:
                byte[] noise = new byte[_random.Next(0, 200)];
                _random.NextBytes(noise);
                return noise;
            case 1:
                return _recorded[_random.Next(_recorded.Count)];
            case 2:
                // A reply with any code, number and info.
                byte[] reply = new byte[13 + (_random.Next(4) == 0 ? 1024 : _random.Next(60))];
                _random.NextBytes(reply);
                reply[0] = (byte)_random.Next(3, 7);
                BinaryPrimitives.WriteInt32BigEndian(reply.AsSpan(5), _random.Next(14));
                return reply;
            default:
                return _mutator.Next(_recorded);
        }
    }

    /// <summary>Who sends it: mostly few hosts with many ports, now and then any address of 10.0.0.0/8, or one outside the allowed networks.</summary>
    public Peer NextPeer() => _random.Next(20) switch
    {
        0 => new Peer(AddressKey.FromIPv4(0x0a00_0000 + (uint)_random.Next(1 << 24)), (ushort)_random.Next(1, 65536)),
        1 => new Peer(AddressKey.FromIPv4(0x0808_0000 + (uint)_random.Next(1 << 16)), 6666),
        < 6 => new Peer(AddressKey.FromIPv4(0xc0a8_0000 + (uint)_random.Next(Talkers)), (ushort)_random.Next(1, 65536)),
        _ => new Peer(AddressKey.FromIPv4(0xc0a8_0000 + (uint)_random.Next(Talkers)), (ushort)(6660 + _random.Next(8))),
    };

    private static IEnumerable<byte[]> Classic()
    {
        foreach (ClassicClientProfile profile in Enum.GetValues<ClassicClientProfile>())
        {
            SimulatedClient client = SimulatedClient.Create(profile, seed: 3, address: "192.168.0.1");
            client.Advance(TimeSpan.FromSeconds(1));
            uint number = 100;
            foreach (ClassicCommand command in Enum.GetValues<ClassicCommand>())
            {
                byte[] request = new byte[ClassicRequest.Size];
                new ClassicRequest(7, number++, command is ClassicCommand.Reboot or ClassicCommand.Exit ? ClassicCommand.Hello : command, 5, 0).Write(request);
                client.Receive(request, TimeSpan.FromSeconds(1));
            }

            while (client.Outgoing.TryDequeue(out byte[]? datagram)) yield return datagram;
        }

        for (uint offset = 0; offset < 400; offset += 40)
        {
            byte[] log = [4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, .. Encoding.ASCII.GetBytes($"classic console text at {offset,14}\n")];
            BinaryPrimitives.WriteUInt32BigEndian(log.AsSpan(9), offset);
            yield return log;
        }
    }
}
