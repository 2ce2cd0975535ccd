using System.Text;
using Netdump.Protocols.Classic;

namespace Netdump.Protocols.Tests.Classic;

/// <summary>A whole dump in simulated time: our client session against our server session, both with what their callers do, over a lossy network.</summary>
internal sealed class Exchange
{
    private readonly LossyNetwork _up;
    private readonly LossyNetwork _down;
    private readonly ClassicClientSession _client;
    private readonly byte[] _memory;
    private readonly byte[] _header;
    private readonly uint _pageSize;
    private readonly byte[] _buffer = new byte[64 * 1037];
    private readonly byte[] _page;
    private ClassicServerSession? _server;
    private TimeSpan _prepared;
    private TimeSpan _now = TimeSpan.FromSeconds(1);

    public Exchange(ClassicClientOptions options, byte[] memory, byte[] header, int seed, double loss, double duplication, double reordering)
    {
        _up = new LossyNetwork(seed, loss, duplication, reordering);
        _down = new LossyNetwork(seed + 1, loss, duplication, reordering);
        _pageSize = options.PageSize;
        _memory = memory;
        _header = header;
        _page = new byte[_pageSize];
        Stored = new byte[memory.Length];
        Accounted = new int[memory.Length / (int)_pageSize];
        Seed = (uint)seed * 2654435761;
        _client = new ClassicClientSession(options, _now);
    }

    private uint Seed { get; }
    public byte[] Stored { get; }
    public int[] Accounted { get; }
    /// <summary>One bit a page that the client leaves out; null for a server that does not ask.</summary>
    public byte[]? LeftOut { get; init; }

    /// <summary>Pages that were asked.</summary>
    public HashSet<uint> Asked { get; } = [];

    public StringBuilder Log { get; } = new();
    public ClassicServerSession Server => _server!;
    public bool Rebooted { get; private set; }

    /// <summary>Time from the beginning of the memory phase to its end.</summary>
    public TimeSpan MemoryTime { get; private set; }

    public void Run()
    {
        for (int guard = 0; !(Rebooted && Server.Phase == ClassicServerPhase.Ended); guard++)
        {
            Assert.True(guard < 5_000_000, "the exchange does not end");
            TimeSpan next = Earliest(_up.NextArrival, _down.NextArrival, _client.NextDeadline, _server?.NextDeadline ?? TimeSpan.MaxValue);
            Assert.NotEqual(TimeSpan.MaxValue, next);
            _now = next > _now ? next : _now;
            while (_down.TryReceive(_now, out byte[] request))
                _client.Receive(request, _now);
            _client.Advance(_now);
            DrainClient();
            while (_up.TryReceive(_now, out byte[] reply))
                ServerReceives(reply);
            if (_server is not null)
            {
                _server.Advance(_now);
                DrainServer();
            }
        }
    }

    private void ServerReceives(byte[] datagram)
    {
        Assert.True(ClassicReplyHeader.TryRead(datagram, out ClassicReplyHeader header));
        ReadOnlySpan<byte> payload = datagram.AsSpan(ClassicReplyHeader.Size);
        if (_server is null)
        {
            if (ClassicStart.TryParse(header, payload, out ClassicStart start))
                _server = new ClassicServerSession(start, new ClassicServerOptions { AsksLeftOut = LeftOut is not null }, Seed, _now);
            return;
        }

        if (header.Code == ClassicReplyCode.Log)
            Log.Append(Encoding.ASCII.GetString(payload));
        _server.Receive(header, payload, _now);
        DrainServer();
    }

    private void DrainServer()
    {
        while (_server!.TryTakeEffect(out ClassicServerEffect effect))
        {
            switch (effect.Kind)
            {
                case ClassicServerEffectKind.Prepared:
                    _prepared = _now;
                    _server.BeginMemory(_now, LeftOut is null ? null : NextMissing);
                    break;
                case ClassicServerEffectKind.LeftOut:
                    for (int i = 0; i < (int)effect.Count; i++)
                        if ((_server.LeftOutMap[i >> 3] >> (i & 7) & 1) != 0)
                            Accounted[(int)effect.FirstPfn + i]++;
                    break;
                case ClassicServerEffectKind.Page:
                    _server.Page(effect).CopyTo(Stored.AsSpan((int)(effect.FirstPfn * _pageSize)));
                    Accounted[effect.FirstPfn]++;
                    break;
                case ClassicServerEffectKind.Hole:
                case ClassicServerEffectKind.Unreadable:
                    for (ulong i = 0; i < effect.Count; i++)
                        Accounted[effect.FirstPfn + i]++;
                    break;
                case ClassicServerEffectKind.MemoryComplete:
                    MemoryTime = _now - _prepared;
                    break;
                case ClassicServerEffectKind.StateComplete:
                    _server.Finish(_now);
                    break;
                case ClassicServerEffectKind.OtherCrash:
                    Assert.Fail("the same START is no other crash");
                    break;
            }
        }

        Span<byte> datagram = stackalloc byte[ClassicRequest.Size];
        while (_server.TryTakeRequest(out ClassicRequest request))
        {
            if (request.Command == ClassicCommand.SendMemory)
                Asked.Add(request.From);
            request.Write(datagram);
            _down.Send(datagram, _now);
        }
    }

    private void DrainClient()
    {
        SendReplies();
        while (_client.TryTakeEffect(out ClassicClientEffect effect))
        {
            switch (effect.Kind)
            {
                case ClassicClientEffectKind.SendPage:
                    SendPage(effect.Number, _memory.AsSpan((int)(effect.Argument * _pageSize), (int)_pageSize));
                    break;
                case ClassicClientEffectKind.SendZeroPage:
                    SendPage(effect.Number, _page);
                    break;
                case ClassicClientEffectKind.SendHeader:
                    int offset = (int)effect.Argument * 1024;
                    _up.Send(_buffer.AsSpan(0, _client.WriteMemoryReply(_buffer, effect.Number, (uint)offset, _header.AsSpan(offset, 1024))), _now);
                    break;
                case ClassicClientEffectKind.SendBitmap:
                    byte[] chunk = new byte[1024];
                    LeftOut.AsSpan().Slice((int)effect.Argument * 1024, Math.Min(1024, LeftOut!.Length - (int)effect.Argument * 1024)).CopyTo(chunk);
                    _up.Send(_buffer.AsSpan(0, _client.WriteMemoryReply(_buffer, effect.Number, effect.Argument * 1024, chunk)), _now);
                    break;
                case ClassicClientEffectKind.ShowState:
                    _up.Send(_buffer.AsSpan(0, _client.WriteLog(_buffer, "all tasks\n"u8, out _)), _now);
                    _client.CompleteState();
                    break;
                case ClassicClientEffectKind.Reboot:
                    Rebooted = true;
                    break;
            }
        }

        SendReplies();
    }

    private ulong NextMissing(ulong from)
    {
        while (from < (ulong)Accounted.Length && Accounted[from] > 0)
            from++;
        return from;
    }

    private void SendPage(uint number, ReadOnlySpan<byte> page)
    {
        int length = _client.WritePage(_buffer, number, page);
        for (int at = 0; at < length; at += 1037)
            _up.Send(_buffer.AsSpan(at, 1037), _now);
    }

    private void SendReplies()
    {
        while (_client.TryTakeReply(_buffer, out int length))
            _up.Send(_buffer.AsSpan(0, length), _now);
    }

    private static TimeSpan Earliest(TimeSpan a, TimeSpan b, TimeSpan c, TimeSpan d) =>
        TimeSpan.FromTicks(Math.Min(Math.Min(a.Ticks, b.Ticks), Math.Min(c.Ticks, d.Ticks)));
}
