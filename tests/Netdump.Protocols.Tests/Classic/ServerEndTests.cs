using Netdump.Protocols.Classic;

namespace Netdump.Protocols.Tests.Classic;

public sealed class ServerEndTests
{
    [Fact]
    public void Item24_the_answer_may_come_before_the_lines()
    {
        ServerLab lab = new ServerLab().ToState();
        lab.Reply(ClassicReplyCode.ShowState, lab.Last.Number, 0, "Sending register info.\n");
        for (int i = 0; i < 20; i++)
        {
            lab.Wait(1);
            lab.Session.NoteLog(lab.Now);
            Assert.Equal(ClassicServerPhase.State, lab.Session.Phase);
        }

        lab.Wait(2.9);
        Assert.Equal(ClassicServerPhase.State, lab.Session.Phase);
        lab.Wait(0.2);
        Assert.Equal(ClassicServerPhase.StateComplete, lab.Session.Phase);
        Assert.Equal(1, lab.CountOf(ClassicCommand.ShowState));
    }

    [Fact]
    public void Item24_the_answer_may_come_behind_the_lines()
    {
        ServerLab lab = new ServerLab().ToState();
        for (int i = 0; i < 20; i++)
        {
            lab.Wait(1);
            lab.Reply(ClassicReplyCode.Log, 0, 5, "line\n"); // by the session's own port
        }

        lab.Reply(ClassicReplyCode.ShowState, lab.Last.Number, 0, "stale");
        lab.Wait(3);
        Assert.Equal(ClassicServerPhase.StateComplete, lab.Session.Phase);
        Assert.Equal(1, lab.CountOf(ClassicCommand.ShowState));
        Assert.All(lab.Effects, effect => Assert.Equal(-1, effect.Slot)); // the payload goes nowhere
    }

    [Fact]
    public void Item25_patience_starts_anew_with_each_log_packet_and_ends_in_a_reboot_regardless()
    {
        ServerLab lab = new ServerLab().ToState();
        for (int i = 0; i < 30; i++)
        {
            lab.Wait(4);
            lab.Session.NoteLog(lab.Now);
        }

        Assert.Equal(1, lab.CountOf(ClassicCommand.ShowState)); // two minutes, and never asked again
        lab.Wait(40);
        Assert.Equal(3, lab.CountOf(ClassicCommand.ShowState));
        Assert.Equal(ClassicServerPhase.StateComplete, lab.Session.Phase);
        lab.Session.Finish(lab.Now);
        lab.Drain();
        Assert.Equal(ClassicCommand.Reboot, lab.Last.Command);
    }

    [Fact]
    public void Item25_lines_without_end_do_not_hold_the_host_for_ever()
    {
        ServerLab lab = new ServerLab().ToState();
        for (int i = 0; i < 599; i++)
        {
            lab.Wait(1);
            lab.Session.NoteLog(lab.Now);
        }

        Assert.Equal(ClassicServerPhase.State, lab.Session.Phase);
        lab.Wait(2);
        Assert.Equal(ClassicServerPhase.StateComplete, lab.Session.Phase);
    }

    [Fact]
    public void Our_own_client_answers_behind_its_last_line_so_nothing_is_waited_for()
    {
        ServerLab lab = new(ServerLab.X86 with { Extension = true });
        lab.Session.SkipMemory(lab.Now);
        lab.Drain();
        lab.Reply(ClassicReplyCode.ShowState, lab.Last.Number, 0);
        Assert.Equal(ClassicServerPhase.StateComplete, lab.Session.Phase);
    }

    [Fact]
    public void Item26_reboot_is_sent_five_times_a_second_apart()
    {
        ServerLab lab = new ServerLab().ToStateComplete();
        lab.Session.Finish(lab.Now);
        lab.Drain();
        for (int sent = 1; sent <= 5; sent++)
        {
            Assert.Equal(sent, lab.CountOf(ClassicCommand.Reboot));
            Assert.Equal(ClassicServerPhase.Finishing, lab.Session.Phase);
            lab.Wait(1);
        }

        Assert.Equal(5, lab.CountOf(ClassicCommand.Reboot));
        Assert.Equal(new ClassicServerEffect(ClassicServerEffectKind.Ended, Reason: ClassicEndReason.Finished), lab.Effects[^1]);
    }

    [Fact]
    public void Item26_a_client_that_missed_the_reboots_in_a_new_handshake_gets_them_again()
    {
        ServerLab lab = new ServerLab().ToStateComplete();
        lab.Session.Finish(lab.Now);
        lab.Wait(4.5);
        lab.ReplyStart(lab.Start);
        Assert.Equal([ClassicCommand.AcknowledgeStart, ClassicCommand.Reboot], lab.Sent.TakeLast(2).Select(r => r.Command));
        lab.Wait(6);
        Assert.Equal(10, lab.CountOf(ClassicCommand.Reboot));
    }

    [Fact]
    public void Item27_end_netdump_closes_the_session_after_exit()
    {
        ServerLab lab = new(options: new ClassicServerOptions { ExitInsteadOfReboot = true });
        lab.ToStateComplete();
        lab.Session.Finish(lab.Now);
        lab.Wait(1.5);
        Assert.Equal(2, lab.CountOf(ClassicCommand.Exit));
        Assert.Equal(0, lab.CountOf(ClassicCommand.Reboot));
        lab.Reply(ClassicReplyCode.End, 0, 0, "NETDUMP end.\n");
        Assert.Equal(ClassicEndReason.Exited, lab.Effects[^1].Reason);
        lab.Wait(10);
        Assert.Equal(2, lab.CountOf(ClassicCommand.Exit));
    }

    [Fact]
    public void Item27_end_netdump_in_the_middle_closes_the_session_too()
    {
        ServerLab lab = new ServerLab().Begin(100);
        lab.Reply(ClassicReplyCode.End, 0, 0, "NETDUMP end.\n");
        Assert.Equal(ClassicEndReason.ClientLeft, lab.Effects[^1].Reason);
        int sent = lab.Sent.Count;
        lab.Wait(100);
        lab.Session.BeginMemory(lab.Now); // calls that cross the end do nothing
        lab.Session.SkipMemory(lab.Now);
        lab.Session.Finish(lab.Now);
        lab.Drain();
        Assert.Equal(sent, lab.Sent.Count);
    }

    [Fact]
    public void Item36_a_dump_that_stalls_still_reboots_the_client()
    {
        ServerLab lab = new ServerLab().Begin(100);
        lab.AnswerPage(0);
        lab.Wait(36);
        Assert.Equal(5, lab.CountOf(ClassicCommand.Reboot));
        Assert.Equal(ClassicEndReason.TimedOut, lab.Effects[^1].Reason);
    }

    [Fact]
    public void Calls_in_the_wrong_phase_are_the_callers_mistake()
    {
        ServerLab lab = new();
        Assert.Throws<InvalidOperationException>(() => lab.Session.BeginMemory(lab.Now));
        Assert.Throws<InvalidOperationException>(() => lab.Session.Finish(lab.Now));
    }
}
