using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Netdump.Client.Tests.Send;

/// <summary>
/// A small model of the original netdump server, written from redhat-netdump.md alone (sections 2 and 5) and sharing no code with ours:
/// acknowledges, asks the parameters, then page by page, asks again after a timeout, skips what is reserved, and writes its core file.
/// </summary>
internal sealed class OriginalServer : IDisposable
{
    private const int MemoryAt = 4096;
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 50 };
    private readonly byte[] _packet = new byte[2048];
    private readonly byte[] _request = new byte[24];
    private EndPoint _client = new IPEndPoint(IPAddress.Any, 0);
    private uint _number = 1000;
    private readonly long _deadline = Environment.TickCount64 + 60_000;
    private int _received;

    public OriginalServer() => _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));

    public IPEndPoint Address => (IPEndPoint)_socket.LocalEndPoint!;

    /// <summary>Loses each so-many-th datagram that arrives; 0 for none.</summary>
    public int LosesEach { get; init; }

    /// <summary>Falls silent after so many pages, as a server does that is restarted or cut off.</summary>
    public int StopsAfter { get; init; } = int.MaxValue;

    public int Starts { get; private set; }

    public string StartText { get; private set; } = "";

    public uint Machine { get; private set; }

    public byte[] Registers { get; private set; } = [];

    public StringBuilder Log { get; } = new();

    public List<string> Others { get; } = [];

    /// <summary>Serves one client to the REBOOT; gives the core file.</summary>
    public Task<byte[]> Serve() => Task.Factory.StartNew(Dump, TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    public void Dispose() => _socket.Dispose();

    private byte[] Dump()
    {
        while (Starts == 0)
            _ = Receive();
        Send(7, 5);
        Assert.Equal("Hello, this is netdump version 0.04\n", Encoding.ASCII.GetString(Ask(4, 0, 5)));
        var pageSize = (int)AskNumber(6, 7);
        var pages = AskNumber(5, 6);
        var registers = Ask(8, 0, 10);
        Assert.Equal("Sending register info.\n", Encoding.ASCII.GetString(registers, 0, 23));
        Registers = registers[23..];

        var file = Header(pages, pageSize);
        for (var pfn = 0u; pfn < pages && pfn < StopsAfter;)
            pfn = TakePage(pfn, pages, pageSize, file);
        if (StopsAfter < pages)
        {
            var silence = Environment.TickCount64 + 5000;
            while (Environment.TickCount64 < silence)
                _ = Receive();
            return file;
        }
        Ask(9, 0, 12);
        for (var repeats = 0; repeats < 5;)
        {
            if (Receive() is not null)
                continue; // still printing
            Send(3, 0);
            repeats++;
        }
        return file;
    }

    private uint TakePage(uint pfn, uint pages, int pageSize, byte[] file)
    {
        var chunks = new bool[pageSize / 1024];
        while (true)
        {
            Send(1, pfn);
            var patience = Environment.TickCount64 + 100;
            while (Environment.TickCount64 < patience)
            {
                if (Receive() is not var (code, number, info, payload) || number != _number)
                    continue;
                if (code == 4)
                    return info == 0 ? pages : info > pfn ? info : pfn + 1;
                if (code == 1)
                    return pfn + 1;
                if (code != 3 || payload.Length != 1024 || info % 1024 != 0 || info >= pageSize)
                    continue;
                payload.CopyTo(file, MemoryAt + (long)pfn * pageSize + info);
                chunks[info / 1024] = true;
                if (Array.TrueForAll(chunks, c => c))
                    return pfn + 1;
            }
        }
    }

    private uint AskNumber(uint command, uint code)
    {
        while (true)
        {
            Send(command, 0);
            while (Receive() is { } reply)
                if (reply.Code == code && reply.Number == _number)
                    return reply.Info;
        }
    }

    private byte[] Ask(uint command, uint from, uint code)
    {
        while (true)
        {
            Send(command, from);
            while (Receive() is { } reply)
            {
                if (reply.Code == code && reply.Number == _number)
                    return reply.Payload;
                if (reply.Code == 8)
                    Send(7, 5); // it missed the first acknowledgement
            }
        }
    }

    private void Send(uint command, uint from)
    {
        _number++;
        _request.AsSpan().Clear();
        BinaryPrimitives.WriteUInt32BigEndian(_request.AsSpan(8), _number);
        BinaryPrimitives.WriteUInt32BigEndian(_request.AsSpan(12), command);
        BinaryPrimitives.WriteUInt32BigEndian(_request.AsSpan(16), from);
        _socket.SendTo(_request, _client);
    }

    private (uint Code, uint Number, uint Info, byte[] Payload)? Receive()
    {
        while (true)
        {
            EndPoint from = new IPEndPoint(IPAddress.Any, 0);
            int length;
            try
            {
                length = _socket.ReceiveFrom(_packet, ref from);
                if (Environment.TickCount64 > _deadline)
                    throw new TimeoutException("the dump takes too long");
            }
            catch (SocketException)
            {
                return null;
            }
            if (LosesEach > 0 && ++_received % LosesEach == 0)
                continue;
            if (length < 13 || _packet[0] is not (4 or 5))
            {
                Others.Add(Encoding.UTF8.GetString(_packet, 0, length));
                continue;
            }
            _client = from;
            var (number, code, info) = (Word(1), Word(5), Word(9));
            var payload = _packet[13..length];
            if (code == 8)
            {
                Starts++;
                Machine = number;
                StartText = Encoding.ASCII.GetString(payload);
            }
            if (code == 2)
                Log.Append(Encoding.UTF8.GetString(payload));
            return (code, number, info, payload);
        }
    }

    private uint Word(int at) => BinaryPrimitives.ReadUInt32BigEndian(_packet.AsSpan(at));

    /// <summary>Section 5: PT_NOTE with prstatus (name of 4 bytes), one PT_LOAD from physical 0 at the page border.</summary>
    private byte[] Header(uint pages, int pageSize)
    {
        var file = new byte[MemoryAt + pages * (long)pageSize];
        if (Machine is 0 or 3)
            return file; // a 32-bit header is of no use to the readers here
        new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1 }.CopyTo(file, 0);
        Put(16, 4 | (Machine << 16));
        Put(20, 1);
        Put(32, 64);
        Put(52, 64 | (56 << 16));
        Put(56, 2);
        const int notes = 176;
        Put(64, 4);
        Put(64 + 8, notes);
        Put(64 + 32, 352);
        Put(64 + 40, 352);
        Put(120, 1 | (7UL << 32));
        Put(120 + 8, MemoryAt);
        Put(120 + 32, pages * (ulong)pageSize);
        Put(120 + 40, pages * (ulong)pageSize);
        Put(120 + 48, (ulong)pageSize);
        Put(notes, 4 | (336UL << 32));
        Put(notes + 8, 1);
        "CORE"u8.CopyTo(file.AsSpan(notes + 12));
        Registers.CopyTo(file, notes + 16 + 112);
        return file;

        void Put(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(at), value);
    }
}
