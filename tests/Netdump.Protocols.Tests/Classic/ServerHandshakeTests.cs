using CsCheck;
using Netdump.Protocols.Classic;

namespace Netdump.Protocols.Tests.Classic;

public sealed class ServerHandshakeTests
{
    [Fact]
    public void Item5_every_request_carries_the_magic_of_the_client()
    {
        ServerLab lab = new ServerLab().Begin(3);
        Assert.True(lab.Sent.Count > 6);
        Assert.All(lab.Sent, request => Assert.Equal(0x1122334455667788ul, request.Magic));
    }

    [Fact]
    public void Item5_a_client_that_told_no_magic_gets_the_one_of_its_file()
    {
        ServerLab lab = new(new ClassicStart(3, 0, 0, 0, null, false), new ClassicServerOptions { Magic = 77 });
        Assert.All(lab.Sent, request => Assert.Equal(77ul, request.Magic));
        lab = new(new ClassicStart(3, 0, 0, 0, null, false));
        Assert.All(lab.Sent, request => Assert.Equal(0ul, request.Magic));
    }

    [Fact]
    public void Item6_versions_4_and_5_are_alike_and_others_ignored()
    {
        ServerLab lab = new();
        uint number = lab.LastOf(ClassicCommand.Hello).Number;
        foreach (byte version in new byte[] { 0, 3, 6, 32, 255 })
            lab.Reply(ClassicReplyCode.Hello, number, 4, version: version);
        Assert.Equal(ClassicServerPhase.Handshake, lab.Session.Phase);
        Assert.Equal(5, lab.Session.Counters.Invalid);
        lab.Reply(ClassicReplyCode.Hello, number, 4, version: 5);
        Assert.Equal(ClassicServerPhase.Parameters, lab.Session.Phase);
        lab.AnswerPageSize(); // version 4 behind version 5
        Assert.Equal(ClassicCommand.GetPageCount, lab.Last.Command);
    }

    [Fact]
    public void Item9_start_with_nr_0_and_info_0_is_an_i386_of_version_4()
    {
        ClassicReplyHeader header = new(4, 0, ClassicReplyCode.Start, 0);
        Assert.True(ClassicStart.TryParse(header, "NETDUMP start, waiting for start-ACK.\n"u8, out ClassicStart start));
        ServerLab lab = new(start);
        Assert.Equal(ClassicMachine.I386, lab.Session.Machine);
        Assert.Equal(ClassicRefusal.None, lab.Session.Refusal);
        Assert.Equal(4u, lab.LastOf(ClassicCommand.AcknowledgeStart).From);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(21)]
    [InlineData(50)]
    [InlineData(62)]
    public void Item10_known_machines_are_acknowledged_with_the_lower_version(uint machine) => Gen.UInt.Sample(info =>
    {
        ServerLab lab = new(new ClassicStart(machine, info, 1, 2, 3, false));
        ClassicRequest ack = lab.Sent[0];
        Assert.Equal(ClassicCommand.AcknowledgeStart, ack.Command);
        Assert.Equal(ClassicRefusal.None, lab.Session.Refusal);
        Assert.True(ack.From % 256 != 0);
        if (info != 0)
            Assert.Equal(Math.Min(info, 5), ack.From);
        Assert.Equal(0u, ack.To);
    });

    [Theory]
    [InlineData(0, 5)]
    [InlineData(22, 5)]
    [InlineData(183, 5)]
    public void Item11_other_machines_are_rebooted_without_a_dump(uint machine, uint info)
    {
        ServerLab lab = new(new ClassicStart(machine, info, 1, 2, 3, false));
        Assert.Equal(ClassicRefusal.UnknownMachine, lab.Session.Refusal);
        lab.AnswerHello();
        Assert.Equal(ClassicServerPhase.State, lab.Session.Phase);
        lab.Reply(ClassicReplyCode.ShowState, lab.Last.Number, 0);
        lab.Wait(3);
        lab.Session.Finish(lab.Now);
        lab.Wait(6);
        Assert.Equal([ClassicServerEffectKind.StateComplete, ClassicServerEffectKind.Ended], lab.Kinds);
        Assert.Equal(0, lab.CountOf(ClassicCommand.SendMemory));
        Assert.Equal(5, lab.CountOf(ClassicCommand.Reboot));
    }

    [Fact]
    public void A_client_of_our_own_brings_its_header_so_its_machine_does_not_matter() =>
        Assert.Equal(ClassicRefusal.None, new ServerLab(new ClassicStart(183, 5, 0, 0, 3, true)).Session.Refusal);

    [Fact]
    public void Item12_a_repeated_start_is_acknowledged_again_in_every_phase()
    {
        ServerLab lab = new();
        int acks = 1;
        void Repeat()
        {
            ClassicServerPhase phase = lab.Session.Phase;
            lab.ReplyStart(lab.Start);
            Assert.Equal(++acks, lab.CountOf(ClassicCommand.AcknowledgeStart));
            Assert.Equal(phase, lab.Session.Phase);
        }

        Repeat();
        lab.AnswerHello();
        Repeat();
        lab.AnswerPageSize();
        lab.AnswerPageCount(1);
        lab.AnswerRegisters();
        Repeat();
        lab.Session.BeginMemory(lab.Now);
        lab.Drain();
        Repeat();
        lab.AnswerPage(0);
        Repeat();
        lab.Reply(ClassicReplyCode.ShowState, lab.LastOf(ClassicCommand.ShowState).Number, 0);
        lab.Wait(3);
        Repeat();
        lab.Session.Finish(lab.Now);
        lab.Drain();
        Repeat();
        Assert.DoesNotContain(ClassicServerEffectKind.OtherCrash, lab.Kinds);
    }

    [Fact]
    public void Item12_the_acknowledgement_is_repeated_until_the_client_reacts()
    {
        ServerLab lab = new();
        Assert.Equal([ClassicCommand.AcknowledgeStart, ClassicCommand.Hello], lab.Sent.Select(r => r.Command));
        uint hello = lab.Last.Number;
        lab.Wait(10);
        int acks = lab.CountOf(ClassicCommand.AcknowledgeStart);
        Assert.InRange(acks, 4, 6); // 1 s, then times 1.5 up to 5 s
        Assert.Equal(acks, lab.CountOf(ClassicCommand.Hello));
        Assert.All(lab.Sent.Where(r => r.Command == ClassicCommand.Hello), r => Assert.Equal(hello, r.Number));
        lab.AnswerHello();
        lab.Wait(10);
        Assert.Equal(acks, lab.CountOf(ClassicCommand.AcknowledgeStart));
    }

    [Fact]
    public void Item13_the_error_of_a_late_acknowledgement_is_ignored()
    {
        ServerLab lab = new();
        lab.ReplyStart(lab.Start);
        lab.AnswerHello();
        uint ack = lab.LastOf(ClassicCommand.AcknowledgeStart).Number;
        lab.Reply(ClassicReplyCode.Error, ack, 7, "Got unknown command code 7!\n");
        Assert.Equal(ClassicServerPhase.Parameters, lab.Session.Phase);
        Assert.Equal(0, lab.Session.Counters.Stale + lab.Session.Counters.Invalid);
    }

    [Fact]
    public void Another_task_or_magic_in_a_start_is_another_crash()
    {
        ServerLab lab = new ServerLab().Begin(10);
        int sent = lab.Sent.Count;
        lab.ReplyStart(lab.Start with { TaskStruct = 1 });
        lab.ReplyStart(lab.Start with { Magic = 1 });
        Assert.Equal([ClassicServerEffectKind.OtherCrash, ClassicServerEffectKind.OtherCrash], lab.Kinds.Skip(1));
        Assert.Equal(sent, lab.Sent.Count);
        Assert.Equal(ClassicServerPhase.Memory, lab.Session.Phase);
    }

    [Fact]
    public void The_extension_is_accepted_only_when_offered()
    {
        Assert.Equal(0u, new ServerLab().Sent[0].To);
        Assert.Equal(1u, new ServerLab(ServerLab.X86 with { Extension = true }).Sent[0].To);
    }

    [Fact]
    public void A_session_ends_with_reboots_after_30_silent_seconds()
    {
        ServerLab lab = new();
        lab.Wait(29.9);
        Assert.Equal(ClassicServerPhase.Handshake, lab.Session.Phase);
        lab.Wait(0.2);
        Assert.Equal(ClassicServerPhase.Finishing, lab.Session.Phase);
        lab.Wait(6);
        Assert.Equal(5, lab.CountOf(ClassicCommand.Reboot));
        Assert.Equal(ClassicEndReason.TimedOut, Assert.Single(lab.Effects).Reason);
        Assert.Equal(ClassicServerPhase.Ended, lab.Session.Phase);
        Assert.Equal(TimeSpan.MaxValue, lab.Session.NextDeadline);
    }

    [Fact]
    public void A_client_that_comes_back_before_the_end_goes_on_where_it_was()
    {
        ServerLab lab = new ServerLab().Begin(2);
        lab.AnswerPage(0);
        lab.Wait(31);
        Assert.Equal(ClassicServerPhase.Finishing, lab.Session.Phase);
        lab.ReplyStart(lab.Start);
        Assert.Equal(ClassicServerPhase.Memory, lab.Session.Phase);
        lab.Wait(1);
        lab.AnswerPage(1);
        Assert.Contains(ClassicServerEffectKind.MemoryComplete, lab.Kinds);
    }

    [Fact]
    public void Random_replies_never_throw_and_never_reach_further_than_asked() =>
        Gen.Select(Gen.Byte[3, 6], Gen.UInt[0, 30], Gen.UInt[0, 14], Gen.OneOf(Gen.UInt[0, 10], Gen.UInt[0, 8].Select(i => i * 1024), Gen.UInt), Gen.Int[0, 4].Select(i => new[] { 0, 13, 1024, 1047, 239 }[i]), Gen.Int[0, 3000])
            .Array[0, 200].Sample(replies =>
            {
                ServerLab lab = new(ServerLab.X86 with { Extension = replies.Length % 2 == 0 }, firstNumber: 5);
                foreach ((byte version, uint number, uint code, uint info, int length, int wait) in replies)
                {
                    lab.Reply((ClassicReplyCode)code, number, info, new byte[length], version);
                    if (lab.Session.Phase == ClassicServerPhase.Prepared)
                        lab.Session.BeginMemory(lab.Now);
                    if (lab.Session.Phase == ClassicServerPhase.StateComplete)
                        lab.Session.Finish(lab.Now);
                    lab.Wait(wait / 1000.0);
                }

                return lab.Session.InFlight <= 256;
            }, iter: 2000);
}
