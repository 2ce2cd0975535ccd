using CsCheck;
using Netdump.Protocols.Classic;

namespace Netdump.Protocols.Tests.Classic;

public sealed class ServerMemoryTests
{
    [Theory]
    [InlineData(1024)]
    [InlineData(4096)]
    [InlineData(16384)]
    [InlineData(65536)]
    public void Item17_page_completes_in_any_order(uint pageSize)
    {
        int chunks = (int)pageSize / 1024;
        Gen.Shuffle(Enumerable.Range(0, chunks).ToArray()).Sample(order =>
        {
            ServerLab lab = new ServerLab().Begin(1, pageSize);
            foreach (int chunk in order)
            {
                Assert.Empty(lab.Pages);
                lab.AnswerChunk(0, (uint)chunk * 1024);
            }

            Assert.Equal(ServerLab.PageBytes(0, pageSize), Assert.Single(lab.Pages));
        }, iter: 20);
    }

    [Fact]
    public void Item17_duplicates_do_not_matter_and_the_first_copy_counts()
    {
        ServerLab lab = new ServerLab().Begin(1);
        lab.AnswerChunk(0, 1024);
        lab.Reply(ClassicReplyCode.Memory, lab.AskedPage(0).Number, 1024, new byte[1024]);
        lab.AnswerChunk(0, 1024);
        Assert.Equal(2, lab.Session.Counters.Duplicates);
        Assert.Empty(lab.Pages);
        lab.AnswerChunk(0, 0);
        lab.AnswerChunk(0, 2048);
        uint number = lab.AskedPage(0).Number;
        lab.AnswerChunk(0, 3072);
        Assert.Equal(ServerLab.PageBytes(0), Assert.Single(lab.Pages));
        lab.Reply(ClassicReplyCode.Memory, number, 3072, ServerLab.Chunk(0, 3072)); // too late: nothing
        Assert.Equal(1, lab.Session.Counters.Stale);
        Assert.Single(lab.Pages);
    }

    [Fact]
    public void Item18_wrong_length_offset_or_number_is_ignored()
    {
        ServerLab lab = new ServerLab().Begin(2);
        uint number = lab.AskedPage(0).Number;
        byte[] chunk = new byte[1024];
        lab.Reply(ClassicReplyCode.Memory, number, 0, chunk.AsSpan(1));
        lab.Reply(ClassicReplyCode.Memory, number, 0, new byte[1025]);
        lab.Reply(ClassicReplyCode.Memory, number, 0);
        lab.Reply(ClassicReplyCode.Memory, number, 4096, chunk);
        lab.Reply(ClassicReplyCode.Memory, number, uint.MaxValue - 1023, chunk);
        lab.Reply(ClassicReplyCode.Memory, number, 512, chunk);
        lab.Reply(ClassicReplyCode.Memory, number, 1, chunk);
        Assert.Equal(7, lab.Session.Counters.Invalid);
        lab.Reply(ClassicReplyCode.Memory, number - 1, 0, chunk); // answered before
        lab.Reply(ClassicReplyCode.Memory, number + 2, 0, chunk); // not asked yet
        Assert.Equal(2, lab.Session.Counters.Stale);
        lab.AnswerPage(0);
        Assert.Equal(ServerLab.PageBytes(0), Assert.Single(lab.Pages));
    }

    [Fact]
    public void Item19_a_lost_chunk_makes_the_page_be_asked_again()
    {
        ServerLab lab = new ServerLab().Begin(2);
        ClassicRequest first = lab.AskedPage(0);
        lab.AnswerChunk(0, 0);
        lab.AnswerChunk(0, 1024);
        lab.AnswerChunk(0, 3072);
        lab.AnswerPage(1);
        lab.Wait(0.12);
        Assert.Equal(2, lab.Sent.Count(request => request.Command == ClassicCommand.SendMemory && request.From == 0));
        Assert.Equal(first, lab.AskedPage(0)); // the same number: an answer that was only slow still counts
        lab.AnswerPage(0);
        Assert.Equal(ServerLab.PageBytes(1), lab.Pages[0]);
        Assert.Equal(ServerLab.PageBytes(0), lab.Pages[1]);
        Assert.Contains(ClassicServerEffectKind.MemoryComplete, lab.Kinds);
        Assert.Equal(1, lab.Session.Counters.Retransmits);
    }

    [Theory]
    [InlineData(100, 100)] // skip to n
    [InlineData(41, 41)]
    [InlineData(0, 200)]   // the rest
    [InlineData(5000, 200)] // behind the end: the rest
    [InlineData(40, 41)]   // not above the page: advance by one
    [InlineData(7, 41)]
    public void Item20_reserved_pages_are_skipped(uint next, uint continuesAt)
    {
        ServerLab lab = new ServerLab(options: new ClassicServerOptions { InitialWindow = 1, MaximumWindow = 1 }).Begin(200);
        for (uint pfn = 0; pfn < 40; pfn++)
            lab.AnswerPage(pfn);
        lab.Reply(ClassicReplyCode.Reserved, lab.AskedPage(40).Number, next);
        Assert.Equal(
            new ClassicServerEffect(ClassicServerEffectKind.Hole, 40, continuesAt - 40),
            lab.Effects.Single(effect => effect.Kind == ClassicServerEffectKind.Hole));
        if (continuesAt == 200)
            Assert.Equal(ClassicServerEffectKind.MemoryComplete, lab.Effects[^1].Kind);
        else
            Assert.Equal(continuesAt, lab.Last.From);
    }

    [Fact]
    public void Item20_pages_in_flight_inside_a_reserved_range_are_accounted_for_once()
    {
        ServerLab lab = new ServerLab().Begin(1000);
        Assert.Equal(32, lab.CountOf(ClassicCommand.SendMemory));
        for (uint pfn = 0; pfn < 32; pfn++)
            lab.Reply(ClassicReplyCode.Reserved, lab.AskedPage(pfn).Number, 999);
        lab.AnswerPage(999);
        AssertAccountedOnce(lab, 1000);
        Assert.Equal(33, lab.CountOf(ClassicCommand.SendMemory));
        Assert.Equal(999, lab.Session.Counters.HolePages);
    }

    [Fact]
    public void Item20_no_answer_makes_an_endless_loop() => Gen.UInt[0, 60].Array[50].Sample(next =>
    {
        ServerLab lab = new ServerLab().Begin(50);
        for (int guard = 0; lab.Session.Phase == ClassicServerPhase.Memory; guard++)
        {
            Assert.True(guard < 50);
            ClassicRequest request = lab.Sent.Where(r => r.Command == ClassicCommand.SendMemory).ElementAt(guard);
            lab.Reply(ClassicReplyCode.Reserved, request.Number, next[request.From]);
        }

        AssertAccountedOnce(lab, 50);
    });

    [Fact]
    public void Item21_never_more_than_64_requests_in_flight()
    {
        ServerLab lab = new ServerLab().Begin(100_000);
        Assert.Equal(32, lab.Session.InFlight);
        int most = 0;
        for (uint pfn = 0; pfn < 2000; pfn++)
        {
            lab.AnswerPage(pfn);
            most = Math.Max(most, lab.Session.InFlight);
        }

        Assert.Equal(64, most);
    }

    [Fact]
    public void Item21_the_window_of_our_own_client_grows_to_256()
    {
        ServerLab lab = new(ServerLab.X86 with { Extension = true });
        lab.AnswerHello();
        lab.AnswerPageSize();
        lab.AnswerPageCount(100_000);
        lab.AnswerRegisters();
        foreach (ClassicRequest request in lab.Sent.Where(r => r.Command == ClassicCommand.GetHeader).ToArray())
            lab.Reply(ClassicReplyCode.Error, request.Number, 0);
        lab.Session.BeginMemory(lab.Now);
        lab.Drain();
        int most = 0;
        for (uint pfn = 0; pfn < 2000; pfn++)
        {
            lab.AnswerPage(pfn);
            most = Math.Max(most, lab.Session.InFlight);
        }

        Assert.Equal(256, most);
        Assert.Equal(2000, lab.Pages.Count);
        for (uint pfn = 0; pfn < 2000; pfn++)
            Assert.Equal(ServerLab.PageBytes(pfn), lab.Pages[(int)pfn]);
    }

    [Fact]
    public void Item21_the_window_shrinks_on_loss_once_a_flight_and_not_below_its_minimum()
    {
        ServerLab lab = new ServerLab().Begin(100_000);
        lab.Wait(0.12);
        Assert.Equal(16, lab.Session.Window); // 32 requests were lost at once: one loss
        lab.Wait(10);
        Assert.Equal(8, lab.Session.Window);
        for (uint pfn = 0; pfn < 32; pfn++)
            lab.AnswerPage(pfn);
        Assert.InRange(lab.Session.Window, 9, 12); // above the threshold it grows by one a window
    }

    [Fact]
    public void Item21_large_pages_narrow_the_window_to_the_bound_of_the_buffers()
    {
        ServerLab lab = new ServerLab(options: new ClassicServerOptions { MaximumBufferBytes = 5 * 65536 }).Begin(100, 65536);
        Assert.Equal(5, lab.Session.InFlight);
        for (uint pfn = 0; pfn < 100; pfn++)
            lab.AnswerPage(pfn, 65536);
        Assert.Equal(ClassicServerPhase.State, lab.Session.Phase);
        Assert.Equal(ServerLab.PageBytes(99, 65536), lab.Pages[99]);
    }

    [Fact]
    public void Item22_a_page_that_cannot_be_read_is_recorded_and_the_dump_goes_on()
    {
        ServerLab lab = new ServerLab().Begin(3);
        lab.AnswerPage(0);
        lab.Reply(ClassicReplyCode.Error, lab.AskedPage(1).Number, 0, "page 00000001 is bigger than max page # 00000001!\n");
        lab.AnswerPage(2);
        Assert.Contains(new ClassicServerEffect(ClassicServerEffectKind.Unreadable, 1, 1), lab.Effects);
        AssertAccountedOnce(lab, 3);
        Assert.Equal(1, lab.Session.Counters.UnreadablePages);
    }

    [Fact]
    public void Pages_are_accounted_for_once_whatever_the_client_answers() =>
        Gen.Select(Gen.UInt[1, 300], Gen.Int[0, 9].Array[300], Gen.UInt[0, 400].Array[300], Gen.Int[0, 63].Array[300]).Sample((pages, kinds, next, picks) =>
        {
            ServerLab lab = new ServerLab().Begin(pages);
            List<ClassicRequest> open = [];
            int seen = 0;
            int pick = 0;
            while (lab.Session.Phase == ClassicServerPhase.Memory)
            {
                for (; seen < lab.Sent.Count; seen++)
                {
                    if (lab.Sent[seen].Command == ClassicCommand.SendMemory)
                        open.Add(lab.Sent[seen]);
                }

                int at = picks[pick++ % picks.Length] % open.Count;
                ClassicRequest request = open[at];
                open.RemoveAt(at);
                if (kinds[request.From] < 7)
                    lab.AnswerPage(request.From);
                else if (kinds[request.From] < 9)
                    lab.Reply(ClassicReplyCode.Reserved, request.Number, next[request.From]);
                else
                    lab.Reply(ClassicReplyCode.Error, request.Number, 0);
            }

            AssertAccountedOnce(lab, pages);
        }, iter: 300);

    [Theory]
    [InlineData(false, 64)]
    [InlineData(true, 256)]
    public void Item21_the_window_begins_at_32_grows_to_its_limit_and_halves_once_for_all_that_one_round_trip_lost(bool ours, int limit)
    {
        ServerLab lab = new(ServerLab.X86 with { Extension = ours });
        lab.AnswerHello();
        lab.AnswerPageSize();
        lab.AnswerPageCount(100_000);
        lab.AnswerRegisters();
        foreach (ClassicRequest header in lab.Sent.Where(r => r.Command == ClassicCommand.GetHeader).ToArray())
            lab.Reply(ClassicReplyCode.Error, header.Number, 0);
        lab.Session.BeginMemory(lab.Now);
        lab.Drain();
        Assert.Equal(32, lab.Session.Window);
        Assert.Equal(32, lab.Session.InFlight);
        for (int i = 0; i < 20; i++)
            RoundTrip(lab);
        Assert.Equal(limit, lab.Session.Window);
        Assert.Equal(limit, lab.Session.InFlight);

        lab.Wait(0.2); // nothing comes any more: all of them are late, at one time
        Assert.Equal(limit, lab.Session.Counters.Retransmits);
        Assert.Equal(limit / 2, lab.Session.Window);
        lab.Wait(0.2);
        Assert.Equal(limit / 4, lab.Session.Window);
        for (int i = 0; i < limit; i++)
            RoundTrip(lab);
        Assert.Equal(limit, lab.Session.Window);
    }

    [Fact]
    public void The_window_never_exceeds_the_chunks_that_the_caller_allows_but_for_one_page()
    {
        ServerLab lab = new ServerLab().Prepare(100_000);
        lab.Session.WindowLimit = 40;
        lab.Session.BeginMemory(lab.Now);
        lab.Drain();
        Assert.Equal((10, 10), (lab.Session.Window, lab.Session.InFlight));
        for (int i = 0; i < 20; i++)
            RoundTrip(lab);
        Assert.Equal((10, 10), (lab.Session.Window, lab.Session.InFlight));
        lab.Session.WindowLimit = 16; // fewer than are in flight, and than losses would leave
        RoundTrip(lab);
        Assert.Equal((4, 4), (lab.Session.Window, lab.Session.InFlight));
        lab.Wait(0.2);
        Assert.Equal(4, lab.Session.Window);
        lab.Session.WindowLimit = 0;
        RoundTrip(lab);
        Assert.Equal((1, 1), (lab.Session.Window, lab.Session.InFlight));
        lab.Session.WindowLimit = int.MaxValue;
        for (int i = 0; i < 1000; i++)
            RoundTrip(lab);
        Assert.Equal(64, lab.Session.Window);
    }

    [Fact]
    public void What_seems_lost_is_asked_again_within_the_window_and_not_at_all_if_it_was_only_slow()
    {
        ServerLab lab = new ServerLab().Begin(100_000);
        for (int i = 0; i < 5; i++)
            RoundTrip(lab);
        lab.Wait(0.001);
        ClassicRequest[] asked = [.. lab.Sent];
        Assert.Equal(64, asked.Length);
        lab.Sent.Clear();
        lab.Wait(0.11); // all late at one time
        Assert.Equal(64, lab.Session.Counters.Retransmits);
        Assert.Equal(lab.Session.Window, lab.Sent.Count);
        Assert.InRange(lab.Sent.Count, 8, 32);
        lab.Sent.Clear();
        foreach (ClassicRequest request in asked)
        {
            for (uint offset = 0; offset < 4096; offset += 1024)
                lab.Session.Receive(new ClassicReplyHeader(4, request.Number, ClassicReplyCode.Memory, offset), ServerLab.Chunk(request.From, offset), lab.Now);
        }

        lab.Drain();
        Assert.Equal(0, lab.Sent.Count(request => asked.Any(a => a.From == request.From)));
        Assert.Equal(0, lab.Session.Counters.Duplicates);
    }

    private static void RoundTrip(ServerLab lab)
    {
        lab.Wait(0.001);
        foreach (ClassicRequest request in lab.Sent.Where(r => r.Command == ClassicCommand.SendMemory).DistinctBy(r => r.Number).ToArray())
        {
            for (uint offset = 0; offset < 4096; offset += 1024)
                lab.Session.Receive(new ClassicReplyHeader(4, request.Number, ClassicReplyCode.Memory, offset), ServerLab.Chunk(request.From, offset), lab.Now);
        }

        lab.Sent.Clear();
        lab.Drain();
    }

    [Fact]
    public void Memory_that_fails_half_way_can_be_given_up()
    {
        ServerLab lab = new ServerLab().Begin(1000);
        lab.AnswerPage(0);
        lab.Session.SkipMemory(lab.Now);
        lab.Drain();
        Assert.Equal(ClassicCommand.ShowState, lab.Last.Command);
        Assert.Equal(1, lab.Session.InFlight);
        lab.Reply(ClassicReplyCode.Memory, lab.AskedPage(1).Number, 0, new byte[1024]);
        Assert.Equal(1, lab.Session.Counters.Stale);
        Assert.DoesNotContain(ClassicServerEffectKind.MemoryComplete, lab.Kinds);
    }

    private static void AssertAccountedOnce(ServerLab lab, ulong pages)
    {
        int[] seen = new int[pages];
        foreach (ClassicServerEffect effect in lab.Effects.Where(e => e.Kind is ClassicServerEffectKind.Page or ClassicServerEffectKind.Hole or ClassicServerEffectKind.Unreadable))
        {
            for (ulong i = 0; i < effect.Count; i++)
                seen[effect.FirstPfn + i]++;
        }

        Assert.All(seen, count => Assert.Equal(1, count));
        Assert.Single(lab.Kinds, ClassicServerEffectKind.MemoryComplete);
    }
}
