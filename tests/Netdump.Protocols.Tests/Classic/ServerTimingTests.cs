using Netdump.Protocols.Classic;

namespace Netdump.Protocols.Tests.Classic;

public sealed class ServerTimingTests
{
    [Fact]
    public void Timeouts_begin_at_a_second_and_grow_by_half_up_to_five()
    {
        ServerLab lab = new();
        List<double> at = [];
        TimeSpan began = lab.Now;
        int sent = 1;
        while (lab.Session.Phase == ClassicServerPhase.Handshake)
        {
            lab.Wait(0.005);
            if (lab.CountOf(ClassicCommand.Hello) > sent)
            {
                sent++;
                at.Add((lab.Now - began).TotalSeconds);
            }
        }

        double[] expected = [1, 2.5, 4.75, 8.125, 13.125, 18.125, 23.125, 28.125];
        Assert.Equal(expected.Length, at.Count);
        Assert.All(expected.Zip(at), pair => Assert.Equal(pair.First, pair.Second, 0.02));
    }

    [Fact]
    public void Timeouts_follow_the_measured_round_trip()
    {
        ServerLab lab = new();
        lab.Wait(0.2);
        lab.AnswerHello();
        Assert.Equal(200, lab.Session.RoundTrip.TotalMilliseconds, 1);
        lab.Wait(0.2);
        lab.AnswerPageSize();
        lab.Wait(0.2);
        lab.AnswerPageCount(4); // mean 0.2, deviation 0.1 × 0.75²
        lab.Wait(0.42);
        Assert.Equal(1, lab.CountOf(ClassicCommand.GetRegisters));
        lab.Wait(0.01);
        Assert.Equal(2, lab.CountOf(ClassicCommand.GetRegisters));
    }

    [Fact]
    public void Timeouts_do_not_fall_below_the_minimum()
    {
        ServerLab lab = new ServerLab().Begin(10); // all answered in no time
        lab.Wait(0.099);
        Assert.Equal(0, lab.Session.Counters.Retransmits);
        lab.Wait(0.001);
        Assert.Equal(10, lab.Session.Counters.Retransmits);
    }

    [Fact]
    public void Requests_sent_twice_give_no_sample()
    {
        ServerLab lab = new();
        lab.Wait(1.001); // asked twice now
        lab.AnswerHello();
        Assert.Equal(TimeSpan.Zero, lab.Session.RoundTrip);
        lab.Wait(1.4); // and the longer timeout holds until a sample is had
        Assert.Equal(1, lab.CountOf(ClassicCommand.GetPageSize));
        lab.Wait(0.2);
        Assert.Equal(2, lab.CountOf(ClassicCommand.GetPageSize));
    }

    [Fact]
    public void Requests_that_the_caller_holds_back_are_not_a_silent_client()
    {
        ServerLab lab = new ServerLab().Prepare(100);
        lab.Session.BeginMemory(lab.Now);
        lab.Drain();
        // nothing in flight: 32 asked, all answered without the caller taking new ones
        foreach (ClassicRequest request in lab.Sent.Where(r => r.Command == ClassicCommand.SendMemory).ToArray())
            lab.Session.Receive(new ClassicReplyHeader(4, request.Number, ClassicReplyCode.Error, 0), default, lab.Now);
        Assert.Equal(0, lab.Session.InFlight);
        lab.Session.Advance(lab.Now + TimeSpan.FromSeconds(100));
        Assert.Equal(ClassicServerPhase.Memory, lab.Session.Phase);
        Assert.True(lab.Session.NextDeadline > lab.Now + TimeSpan.FromSeconds(100));
    }

    [Fact]
    public void Numbers_begin_where_told_and_wrap_around()
    {
        ServerLab lab = new ServerLab(firstNumber: 0xffffffff).Begin(200);
        Assert.Equal(0xffffffffu, lab.Sent.Min(r => r.Command == ClassicCommand.Hello ? r.Number : uint.MaxValue));
        for (uint pfn = 0; pfn < 200; pfn++)
            lab.AnswerPage(pfn);
        Assert.Equal(ClassicServerPhase.State, lab.Session.Phase);
        Assert.Equal(lab.Sent.Count, lab.Sent.Select(request => request.Number).Distinct().Count());
    }

    [Fact]
    public void A_request_that_stays_open_for_long_keeps_its_number_to_itself()
    {
        ServerLab lab = new ServerLab().Begin(5000);
        uint number = lab.AskedPage(0).Number;
        for (uint pfn = 1; pfn < 4000; pfn++)
            lab.AnswerPage(pfn); // numbers go round the ring several times
        Assert.Single(lab.Sent, request => request.Number == number);
        lab.AnswerPage(0);
        Assert.Equal(ServerLab.PageBytes(0), lab.Pages[^1]);
    }

    [Fact]
    public void A_page_asked_clearly_before_one_that_was_answered_is_asked_again_without_waiting_for_its_timeout()
    {
        ServerLab lab = new ServerLab().Begin(10_000);
        int answered = 0;
        void Millisecond(uint? lost)
        {
            lab.Wait(0.001);
            ClassicRequest[] asked = [.. lab.Sent.Where(r => r.Command == ClassicCommand.SendMemory).Skip(answered)];
            answered += asked.Length;
            foreach (ClassicRequest request in asked.Where(request => request.From != lost))
                lab.AnswerPage(request.From);
        }

        for (int i = 0; i < 30; i++)
            Millisecond(null);
        Assert.Equal(64, lab.Session.Window);
        uint lost = lab.Sent[^20].From;
        Millisecond(lost);
        Assert.Equal(0, lab.Session.Counters.Retransmits);
        for (int i = 0; i < 4; i++)
            Millisecond(lost);
        Assert.Equal(1, lab.Session.Counters.Retransmits);
        Assert.Equal(2, lab.Sent.Count(r => r.Command == ClassicCommand.SendMemory && r.From == lost));
        Assert.InRange(lab.Session.Window, 32, 40); // one loss, then it grows again
        lab.AnswerPage(lost);
        Assert.Equal(ServerLab.PageBytes(lost), lab.Pages[^1]);
    }

    [Fact]
    public void Answers_that_overtake_each_other_a_little_are_no_loss()
    {
        ServerLab lab = new ServerLab().Begin(64);
        lab.Wait(0.001);
        for (uint pfn = 31; pfn > 0; pfn--)
            lab.AnswerPage(pfn); // asks 32-63 now, a millisecond later than page 0
        lab.AnswerPage(50);
        Assert.Equal(0, lab.Session.Counters.Retransmits);
        Assert.True(lab.Session.Window > 32);
    }
}
