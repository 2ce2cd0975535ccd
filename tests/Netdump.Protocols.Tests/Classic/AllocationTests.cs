using Netdump.Protocols.Classic;

namespace Netdump.Protocols.Tests.Classic;

public sealed class AllocationTests
{
    [Theory]
    [InlineData(ClassicClientProfile.B)]
    [InlineData(ClassicClientProfile.Netdump)]
    public void The_memory_phase_allocates_nothing_per_packet(ClassicClientProfile profile)
    {
        const uint Pages = 12_000;
        ClassicMemoryMap map = new([(0, 5000), (5500, Pages)]);
        TimeSpan now = TimeSpan.FromSeconds(1);
        ClassicClientSession client = new(new ClassicClientOptions { Profile = profile, Memory = map, Registers = new byte[216], HeaderLength = 4096 }, now);
        byte[] page = new byte[4096];
        byte[] buffer = new byte[4 * 1037];
        byte[] request = new byte[24];
        int length;
        Assert.True(client.TryTakeReply(buffer, out length));
        Assert.True(ClassicReplyHeader.TryRead(buffer, out ClassicReplyHeader first));
        Assert.True(ClassicStart.TryParse(first, buffer.AsSpan(13, length - 13), out ClassicStart start));
        ClassicServerSession server = new(start, new ClassicServerOptions(), 1, now);

        long pages = 0;
        long packets = 0;
        long before = 0;
        long packetsBefore = 0;
        long after = 0;
        while (server.Phase is not ClassicServerPhase.State)
        {
            now += TimeSpan.FromMicroseconds(100);
            server.Advance(now);
            while (server.TryTakeRequest(out ClassicRequest asked))
            {
                asked.Write(request);
                client.Receive(request, now);
                packets++;
            }

            while (client.TryTakeEffect(out ClassicClientEffect effect))
            {
                if (effect.Kind is not (ClassicClientEffectKind.SendPage or ClassicClientEffectKind.SendHeader))
                    continue;
                ReadOnlySpan<byte> bytes = effect.Kind == ClassicClientEffectKind.SendPage ? page : page.AsSpan(0, 1024);
                length = client.WritePage(buffer, effect.Number, bytes, effect.Kind == ClassicClientEffectKind.SendPage ? 0 : effect.Argument * 1024);
                for (int at = 0; at < length; at += 1037)
                {
                    ClassicReplyHeader.TryRead(buffer.AsSpan(at), out ClassicReplyHeader header);
                    server.Receive(header, buffer.AsSpan(at + 13, 1024), now);
                    packets++;
                    pages += TakeEffects(server, now);
                }
            }

            while (client.TryTakeReply(buffer, out length))
            {
                ClassicReplyHeader.TryRead(buffer, out ClassicReplyHeader header);
                server.Receive(header, buffer.AsSpan(13, length - 13), now);
                packets++;
                pages += TakeEffects(server, now);
            }

            if (before == 0 && pages > 500) // everything was called once
            {
                before = GC.GetAllocatedBytesForCurrentThread();
                packetsBefore = packets;
            }

            if (pages <= 11_500)
                after = GC.GetAllocatedBytesForCurrentThread();
        }

        Assert.Equal(Pages, pages);
        Assert.True(packets - packetsBefore > 50_000, $"{packets - packetsBefore} packets");
        Assert.InRange(after - before, 0, 16 * 1024); // not a byte a packet; a little for the runtime's own sake
    }

    private static long TakeEffects(ClassicServerSession server, TimeSpan now)
    {
        long pages = 0;
        while (server.TryTakeEffect(out ClassicServerEffect effect))
        {
            if (effect.Kind == ClassicServerEffectKind.Prepared)
                server.BeginMemory(now);
            if (effect.Kind is ClassicServerEffectKind.Page or ClassicServerEffectKind.Hole && server.Page(effect).Length is 0 or 4096)
                pages += (long)effect.Count;
        }

        return pages;
    }
}
