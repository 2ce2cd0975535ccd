using System.Net;
using Netdump.Protocols.Classic;
using Netdump.Server.Receivers.Udp;

namespace Netdump.Server.Tests.Classic;

/// <summary>A crashed host in memory: the real client session over pages a test can compare with.</summary>
internal sealed class SimulatedClient
{
    private readonly ClassicClientSession _session;
    private readonly byte[] _header;
    private readonly byte[] _datagram = new byte[64 * 1037];
    private uint _memoryRequests;

    public SimulatedClient(ClassicClientOptions options, IReadOnlyDictionary<ulong, byte[]> pages, byte[]? header = null, string address = "192.0.2.1", ushort port = 6666)
    {
        Pages = pages;
        ReadPage = pfn => Pages[pfn];
        _header = header ?? [];
        Options = options with { HeaderLength = _header.Length };
        Peer = new Peer(AddressKey.From(IPAddress.Parse(address)), port);
        _session = new ClassicClientSession(Options, TimeSpan.Zero);
    }

    public ClassicClientOptions Options { get; }

    public IReadOnlyDictionary<ulong, byte[]> Pages { get; }

    /// <summary>Where the bytes of a page come from, when not from <see cref="Pages"/>.</summary>
    public Func<ulong, byte[]> ReadPage { get; init; }

    public Peer Peer { get; }

    public ClassicClientPhase Phase => _session.Phase;

    public bool IsExtended => _session.Extension;

    public uint PageCount => _session.PageCount;

    /// <summary>Pages that cannot be read.</summary>
    public HashSet<ulong> Unreadable { get; } = [];

    /// <summary>Pages that are left out, when the options say that some are.</summary>
    public HashSet<uint> LeftOut { get; } = [];

    /// <summary>Pages of zeros are answered as if they were no memory.</summary>
    public bool SparesZeros { get; init; }

    /// <summary>From this many page requests on the client says nothing any more.</summary>
    public uint SilentAfter { get; set; } = uint.MaxValue;

    public bool IsSilent { get; set; }

    public int Reboots { get; private set; }

    public int Acknowledgements { get; private set; }

    /// <summary>Pages that were asked, in order.</summary>
    public List<uint> Asked { get; } = [];

    /// <summary>Called at each page request, with its number from 0 on.</summary>
    public Action<uint>? OnMemoryRequest { get; set; }

    public bool Rebooted { get; private set; }

    public Queue<byte[]> Outgoing { get; } = new();

    /// <summary>Memory for a profile: three ranges with a hole between them, a zero page here and there.</summary>
    public static SimulatedClient Create(ClassicClientProfile profile, int seed, uint pageSize = 4096, uint machine = 62, string address = "192.0.2.1", ushort port = 6666, ulong task = 0xffff_8100_0123_4567)
    {
        var random = new Random(seed);
        var pages = new Dictionary<ulong, byte[]>();
        (ulong First, ulong End)[] ranges = [(1, 40), (60, 61), (100, 100 + (ulong)random.Next(5, 60))];
        foreach ((ulong first, ulong end) in ranges)
        {
            for (ulong pfn = first; pfn < end; pfn++)
            {
                var page = new byte[pageSize];
                if (random.Next(5) != 0)
                    random.NextBytes(page);
                pages[pfn] = page;
            }
        }

        var registers = new byte[ClassicMachineRegisters(profile == ClassicClientProfile.A ? 3 : machine)];
        random.NextBytes(registers);
        var options = new ClassicClientOptions
        {
            Profile = profile,
            Machine = machine,
            PageSize = pageSize,
            Memory = new ClassicMemoryMap(ranges),
            TaskStruct = task,
            PageOffset = 0x10000000000,
            Magic = 0x1234_5678_9abc_def0,
            Registers = registers,
        };
        return new SimulatedClient(options, pages, address: address, port: port);
    }

    public void Receive(ReadOnlySpan<byte> datagram, TimeSpan now)
    {
        if (ClassicRequest.TryRead(datagram, out ClassicRequest request))
        {
            Reboots += request.Command == ClassicCommand.Reboot ? 1 : 0;
            Acknowledgements += request.Command == ClassicCommand.AcknowledgeStart ? 1 : 0;
            if (request.Command == ClassicCommand.SendMemory)
            {
                Asked.Add(request.From);
                OnMemoryRequest?.Invoke(_memoryRequests);
                IsSilent |= _memoryRequests++ >= SilentAfter;
            }
        }

        _session.Receive(datagram, now);
        Drain();
    }

    public void Advance(TimeSpan now)
    {
        _session.Advance(now);
        Drain();
    }

    private static int ClassicMachineRegisters(uint machine) => machine switch { 3 => 68, 21 => 384, 50 => 448, _ => 216 };

    private void Drain()
    {
        bool more = true;
        while (more)
        {
            more = false;
            while (_session.TryTakeEffect(out ClassicClientEffect effect))
            {
                Carry(effect);
                more = true;
            }

            while (_session.TryTakeReply(_datagram, out int length))
            {
                Send(_datagram.AsSpan(0, length));
                more = true;
            }
        }
    }

    private void Carry(in ClassicClientEffect effect)
    {
        switch (effect.Kind)
        {
            case ClassicClientEffectKind.SendPage when Unreadable.Contains(effect.Argument):
                Send(_datagram.AsSpan(0, _session.WriteUnreadable(_datagram, effect.Number)));
                break;
            case ClassicClientEffectKind.SendPage when LeftOut.Contains(effect.Argument) || (SparesZeros && !ReadPage(effect.Argument).AsSpan().ContainsAnyExcept((byte)0)):
                Send(_datagram.AsSpan(0, _session.WriteLeftOut(_datagram, effect.Number, effect.Argument)));
                break;
            case ClassicClientEffectKind.SendBitmap:
                var map = new byte[1024];
                foreach (uint pfn in LeftOut)
                    if (pfn / 8192 == effect.Argument)
                        map[pfn % 8192 / 8] |= (byte)(1 << (int)(pfn % 8));
                SendChunks(effect.Number, map, effect.Argument * 1024);
                break;
            case ClassicClientEffectKind.SendPage:
                SendChunks(effect.Number, ReadPage(effect.Argument), 0);
                break;
            case ClassicClientEffectKind.SendZeroPage:
                SendChunks(effect.Number, new byte[Options.PageSize], 0);
                break;
            case ClassicClientEffectKind.SendHeader:
                SendChunks(effect.Number, _header.AsSpan((int)effect.Argument * 1024, 1024), effect.Argument * 1024);
                break;
            case ClassicClientEffectKind.ShowState:
                ReadOnlySpan<byte> text = "SysRq : Show State\ninit  S 0000 1 0\n"u8;
                Send(_datagram.AsSpan(0, _session.WriteLog(_datagram, text, out _)));
                _session.CompleteState();
                break;
            case ClassicClientEffectKind.Reboot:
                Rebooted = true;
                break;
        }
    }

    private void SendChunks(uint number, ReadOnlySpan<byte> bytes, uint offset)
    {
        int length = _session.WritePage(_datagram, number, bytes, offset);
        for (int at = 0; at < length; at += 1037)
            Send(_datagram.AsSpan(at, 1037));
    }

    private void Send(ReadOnlySpan<byte> datagram)
    {
        if (!IsSilent && !datagram.IsEmpty)
            Outgoing.Enqueue(datagram.ToArray());
    }
}
