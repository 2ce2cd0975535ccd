using Netdump.Protocols.Classic;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>A sound dump of a small machine, played by our two sessions: what each side sent.</summary>
internal static class ClassicSession
{
    private const int PageSize = 1024;

    public static ClassicClientOptions Options(ClassicClientProfile profile) => new()
    {
        Profile = profile,
        Machine = 62,
        PageSize = profile == ClassicClientProfile.Netdump ? 4096u : PageSize,
        Memory = new ClassicMemoryMap([(1, 5), (9, 12)]),
        TaskStruct = 0xffff_8100_0123_4567,
        PageOffset = 0x1_0000_0000,
        Magic = 7,
        Registers = new byte[profile == ClassicClientProfile.A ? 68 : 216],
        HeaderLength = 2048,
    };

    /// <summary>The client's datagrams, START first.</summary>
    public static IReadOnlyList<byte[]> Replies(ClassicClientProfile profile) => Play(profile).Replies;

    /// <summary>The server's datagrams.</summary>
    public static IReadOnlyList<byte[]> Requests(ClassicClientProfile profile) => Play(profile).Requests;

    private static (List<byte[]> Replies, List<byte[]> Requests) Play(ClassicClientProfile profile)
    {
        TimeSpan now = TimeSpan.FromSeconds(10);
        ClassicClientOptions options = Options(profile);
        ClassicClientSession client = new(options, now);
        ClassicServerSession? server = null;
        List<byte[]> replies = [], requests = [], toServer = [];
        byte[] page = new byte[options.PageSize], datagram = new byte[64 * 1037];
        while (server is not { Phase: ClassicServerPhase.Finishing })
        {
            now += TimeSpan.FromMilliseconds(10);
            client.Advance(now);
            Take(client, page, datagram, toServer);
            foreach (byte[] reply in toServer)
            {
                replies.Add(reply);
                ClassicReplyHeader.TryRead(reply, out ClassicReplyHeader header);
                if (server is null && ClassicStart.TryParse(header, reply.AsSpan(ClassicReplyHeader.Size), out ClassicStart start))
                    server = new ClassicServerSession(start, new ClassicServerOptions { AsksLeftOut = true }, firstNumber: 1, now);
                server!.Receive(header, reply.AsSpan(ClassicReplyHeader.Size), now);
                Carry(server, now);
            }

            toServer.Clear();
            server!.Advance(now);
            Carry(server, now);
            while (server.TryTakeRequest(out ClassicRequest request))
            {
                byte[] bytes = new byte[ClassicRequest.Size];
                request.Write(bytes);
                requests.Add(bytes);
                client.Receive(bytes, now);
            }
        }

        return (replies, requests);
    }

    private static void Take(ClassicClientSession client, byte[] page, byte[] datagram, List<byte[]> sent)
    {
        while (client.TryTakeEffect(out ClassicClientEffect effect))
        {
            int length = effect.Kind switch
            {
                ClassicClientEffectKind.SendPage or ClassicClientEffectKind.SendZeroPage => client.WritePage(datagram, effect.Number, page),
                ClassicClientEffectKind.SendHeader => client.WritePage(datagram, effect.Number, page.AsSpan(0, 1024), effect.Argument * 1024),
                _ => 0,
            };
            for (int at = 0; at < length; at += 1037) sent.Add(datagram[at..(at + 1037)]);
            if (effect.Kind != ClassicClientEffectKind.ShowState) continue;
            length = client.WriteLog(datagram, "SysRq : Show State\n"u8, out _);
            sent.Add(datagram[..length]);
            client.CompleteState();
        }

        while (client.TryTakeReply(datagram, out int written)) sent.Add(datagram[..written]);
    }

    private static void Carry(ClassicServerSession server, TimeSpan now)
    {
        while (server.TryTakeEffect(out ClassicServerEffect effect))
        {
            if (effect.Kind == ClassicServerEffectKind.Prepared) server.BeginMemory(now);
            if (effect.Kind == ClassicServerEffectKind.StateComplete) server.Finish(now);
        }
    }
}
