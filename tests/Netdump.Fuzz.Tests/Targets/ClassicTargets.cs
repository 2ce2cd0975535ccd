using Netdump.Fuzz.Tests.Engine;
using Netdump.Protocols.Classic;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>Requests, reply headers and the text of START.</summary>
public sealed class ClassicMessages : FuzzTarget
{
    public override int MaximumLength => 1100;

    public override IReadOnlyList<byte[]> Tokens =>
        [.. new[] { "task_struct:0x", "page_offset:0x", "netdump_magic:0x", "ext:1", "ffff810001234567", " ", ":", "\n" }.Select(System.Text.Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds =>
        [.. Enum.GetValues<ClassicClientProfile>().Select(profile => ClassicSession.Replies(profile)[0]), .. ClassicSession.Requests(ClassicClientProfile.D).Take(8)];

    public override void Run(ReadOnlySpan<byte> input)
    {
        Span<byte> again = stackalloc byte[ClassicRequest.Size];
        if (ClassicRequest.TryRead(input, out ClassicRequest request))
        {
            request.Write(again);
            Require(again.SequenceEqual(input[..ClassicRequest.Size]), "a request comes back as it was");
        }

        if (!ClassicReplyHeader.TryRead(input, out ClassicReplyHeader header)) return;
        header.Write(again);
        Require(again[..ClassicReplyHeader.Size].SequenceEqual(input[..ClassicReplyHeader.Size]), "a header comes back as it was");
        if (!ClassicStart.TryParse(header, input[ClassicReplyHeader.Size..], out ClassicStart start)) return;
        Span<byte> text = stackalloc byte[ClassicStart.MaximumPayload];
        int length = start.WritePayload(text);
        Require(ClassicStart.TryParse(start.Header, text[..length], out ClassicStart second), "a START that is written is one");
        Require(second.Machine == start.Machine && second.Extension == start.Extension, "START survives a round trip");
    }
}

/// <summary>The server's half of a dump, driven by whatever a client may send.</summary>
public sealed class ClassicServerSessions : FuzzTarget
{
    public override int MaximumLength => 30_000;

    public override long MaximumAllocation => 80 << 20;

    public override IEnumerable<byte[]> Seeds =>
        Enum.GetValues<ClassicClientProfile>().Select(profile => DatagramScript.Write(ClassicSession.Replies(profile))).Where(seed => seed.Length <= MaximumLength);

    public override void Run(ReadOnlySpan<byte> input)
    {
        DatagramScript script = new(input);
        TimeSpan now = TimeSpan.FromSeconds(10);
        if (!script.TryTake(out ReadOnlySpan<byte> first, out _)) return;
        if (!ClassicReplyHeader.TryRead(first, out ClassicReplyHeader header)) return;
        if (!ClassicStart.TryParse(header, first[ClassicReplyHeader.Size..], out ClassicStart start)) return;
        ClassicServerSession session = new(start, new ClassicServerOptions { MaximumHeaderLength = 1 << 20, AsksLeftOut = true }, firstNumber: 1, now);
        ulong accounted = 0;
        Drain(session, now, ref accounted);
        while (script.TryTake(out ReadOnlySpan<byte> datagram, out TimeSpan pause))
        {
            now += pause;
            session.Advance(now);
            Drain(session, now, ref accounted);
            if (ClassicReplyHeader.TryRead(datagram, out ClassicReplyHeader reply)) session.Receive(reply, datagram[ClassicReplyHeader.Size..], now);
            Drain(session, now, ref accounted);
            Require(session.InFlight <= 512, "requests in flight have a bound");
            Require(accounted <= session.PageCount, "no page is accounted for twice");
        }

        // A client that says nothing more: the session ends by itself.
        for (int turns = 0; session.Phase != ClassicServerPhase.Ended; turns++)
        {
            Require(turns < 100_000, "a session with a silent client ends");
            now = session.NextDeadline > now ? session.NextDeadline : now + TimeSpan.FromMilliseconds(1);
            session.Advance(now);
            Drain(session, now, ref accounted);
        }
    }

    private static void Drain(ClassicServerSession session, TimeSpan now, ref ulong accounted)
    {
        while (session.TryTakeEffect(out ClassicServerEffect effect))
        {
            switch (effect.Kind)
            {
                case ClassicServerEffectKind.Prepared:
                    session.BeginMemory(now);
                    break;
                case ClassicServerEffectKind.Page:
                    Require(session.Page(effect).Length == session.PageSize, "a page has its size");
                    accounted++;
                    break;
                case ClassicServerEffectKind.Hole:
                case ClassicServerEffectKind.Unreadable:
                    accounted += effect.Count;
                    break;
                case ClassicServerEffectKind.MemoryComplete:
                    Require(accounted == session.PageCount, "complete is when every page was accounted for");
                    break;
                case ClassicServerEffectKind.StateComplete:
                    session.Finish(now);
                    break;
            }
        }

        for (int sent = 0; session.TryTakeRequest(out ClassicRequest request); sent++)
        {
            Require(sent < 2000, "no flood of requests");
            Require(request.Command != ClassicCommand.SendMemory || request.From < session.PageCount, "only pages that exist are asked");
        }
    }
}

/// <summary>The client's half, each profile, driven by whatever a server may send.</summary>
public sealed class ClassicClientSessions : FuzzTarget
{
    private readonly byte[] _datagram = new byte[64 * 1037];
    private readonly byte[] _page = new byte[4096];

    public override int MaximumLength => 6000;

    public override IEnumerable<byte[]> Seeds => Enum.GetValues<ClassicClientProfile>().Select(profile =>
        (byte[])[(byte)profile, .. DatagramScript.Write(ClassicSession.Requests(profile).Take(150))]);

    public override void Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return;
        ClassicClientProfile[] profiles = Enum.GetValues<ClassicClientProfile>();
        TimeSpan now = TimeSpan.FromSeconds(10);
        ClassicClientSession session = new(ClassicSession.Options(profiles[input[0] % profiles.Length]), now);
        Drain(session);
        DatagramScript script = new(input[1..]);
        while (script.TryTake(out ReadOnlySpan<byte> datagram, out TimeSpan pause))
        {
            now += pause;
            session.Advance(now);
            session.Receive(datagram, now);
            Drain(session);
            Require(session.Version is >= 1 and <= 5, "the lower of two versions");
        }
    }

    private void Drain(ClassicClientSession session)
    {
        bool more = true;
        while (more)
        {
            more = false;
            while (session.TryTakeEffect(out ClassicClientEffect effect))
            {
                more = true;
                if (effect.Kind is ClassicClientEffectKind.SendPage or ClassicClientEffectKind.SendZeroPage)
                {
                    Require(effect.Argument < session.PageCount, "only pages there are");
                    _ = session.WritePage(_datagram, effect.Number, _page);
                }

                if (effect.Kind == ClassicClientEffectKind.SendHeader) _ = session.WritePage(_datagram, effect.Number, _page.AsSpan(0, 1024), effect.Argument * 1024);
                if (effect.Kind == ClassicClientEffectKind.ShowState) session.CompleteState();
            }

            while (session.TryTakeReply(_datagram, out int length))
            {
                more = true;
                Require(length <= ClassicClientSession.MaximumReply + 1024, "replies have a bound");
            }
        }
    }
}
