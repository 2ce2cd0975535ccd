using Netdump.Protocols.Classic;
using Netdump.Server.Receivers.Classic;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Classic;

/// <summary>The memory phase at full speed: the answers are made without the client's session, so that only the receiver allocates.</summary>
public sealed class HotPathTests
{
    private const int PageSize = 4096;

    [Fact]
    public void Receiving_pages_allocates_nothing()
    {
        using var simulation = new Simulation();
        var sender = new RequestRing();
        var lane = new Lane();
        var receiver = new ClassicReceiver(
            simulation.Context, sender, lane, (peer, directory) => new CrashLog(directory, simulation.Console.LogOf(peer), TimeSpan.Zero));
        var peer = new Peer(AddressKey.FromIPv4(0xc0000201), 6666);
        const uint Pages = 20_000;
        var start = new ClassicStart(62, 5, 0x1000, 0, 7, Extension: false);
        var datagram = new byte[2048];
        start.Header.Write(datagram);
        int length = ClassicReplyHeader.Size + start.WritePayload(datagram.AsSpan(ClassicReplyHeader.Size));
        receiver.Receive(datagram.AsSpan(0, length), peer, TimeSpan.Zero);

        long before = 0, allocated = -1;
        TimeSpan now = TimeSpan.Zero;
        while (allocated < 0)
        {
            lane.RunPosted();
            receiver.Advance(now);
            if (!sender.TryTake(out ClassicRequest request))
            {
                // The receiver's counts are those of one thread: this one waits for the disk, and must not be given up.
                simulation.Context.Work.Wait(TimeSpan.FromSeconds(60));
                continue;
            }

            // The first pages warm up; the last ones must leave no garbage.
            if (request is { Command: ClassicCommand.SendMemory, From: 2000 })
                before = GC.GetAllocatedBytesForCurrentThread();
            if (request is { Command: ClassicCommand.SendMemory, From: Pages - 1000 })
                allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Answer(receiver, peer, request, datagram, now);
        }

        Assert.InRange(allocated, 0, 2000);
        receiver.Stop();
    }

    private static void Answer(ClassicReceiver receiver, in Peer peer, in ClassicRequest request, byte[] datagram, TimeSpan now)
    {
        (ClassicReplyCode code, uint info) = request.Command switch
        {
            ClassicCommand.Hello => (ClassicReplyCode.Hello, 4u),
            ClassicCommand.GetPageSize => (ClassicReplyCode.PageSize, (uint)PageSize),
            ClassicCommand.GetPageCount => (ClassicReplyCode.PageCount, 20_000u),
            ClassicCommand.GetRegisters => (ClassicReplyCode.Registers, 20_000u),
            ClassicCommand.SendMemory => (ClassicReplyCode.Memory, 0u),
            _ => (ClassicReplyCode.None, 0u),
        };
        if (code == ClassicReplyCode.None)
            return;
        datagram.AsSpan(ClassicReplyHeader.Size).Fill((byte)(request.From | 1));
        int payload = code == ClassicReplyCode.Memory ? 1024 : 0;
        for (uint offset = 0; offset < PageSize; offset += 1024)
        {
            new ClassicReplyHeader(4, request.Number, code, info + offset).Write(datagram);
            receiver.Receive(datagram.AsSpan(0, ClassicReplyHeader.Size + payload), peer, now);
            if (payload == 0)
                break;
        }
    }

    /// <summary>Keeps requests as values.</summary>
    private sealed class RequestRing : DatagramSender
    {
        private readonly Queue<ClassicRequest> _requests = new(1024);

        public override int AnswerRoom => 16 << 20;

        public override void Send(in Peer peer, ReadOnlySpan<byte> datagram)
        {
            Assert.True(ClassicRequest.TryRead(datagram, out ClassicRequest request));
            _requests.Enqueue(request);
        }

        public bool TryTake(out ClassicRequest request) => _requests.TryDequeue(out request);
    }
}
