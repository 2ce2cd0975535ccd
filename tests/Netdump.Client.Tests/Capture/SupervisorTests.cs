using CsCheck;
using Netdump.Client.Capture;
using Netdump.Client.Linux;

namespace Netdump.Client.Tests.Capture;

public sealed class SupervisorTests
{
    private static readonly TimeSpan GiveUp = TimeSpan.FromSeconds(300);

    [Fact]
    public void The_child_is_started_at_once_and_its_success_ends_it()
    {
        Supervisor supervisor = new(GiveUp, watchdog: false, At(5));
        Assert.Equal([SupervisorActionKind.StartChild], Kinds(supervisor, At(5)));
        supervisor.ChildStarted();
        Assert.Empty(Kinds(supervisor, At(20)));
        supervisor.ChildEnded(Exit(0), At(21));
        Assert.Equal(new SupervisorAction(SupervisorActionKind.Finish, "the dump is done"), Assert.Single(Actions(supervisor, At(21))));
    }

    [Fact]
    public void A_child_with_nothing_to_send_is_not_started_again()
    {
        Supervisor supervisor = Running(out TimeSpan now);
        supervisor.ChildEnded(Exit(CaptureExit.Hopeless), now);
        Assert.Equal([SupervisorActionKind.Finish], Kinds(supervisor, now));
    }

    [Fact]
    public void A_child_that_is_killed_or_fails_is_started_again_after_pauses_that_double_up_to_30_seconds()
    {
        Supervisor supervisor = new(GiveUp, watchdog: false, TimeSpan.Zero);
        TimeSpan now = TimeSpan.Zero;
        List<double> pauses = [];
        for (int start = 1; start <= Supervisor.MaximumStarts; start++)
        {
            Assert.Equal([SupervisorActionKind.StartChild], Kinds(supervisor, now));
            Assert.Equal(start, supervisor.Starts);
            supervisor.ChildStarted();
            now += TimeSpan.FromSeconds(1);
            supervisor.ChildMoved(10, now);
            supervisor.ChildEnded(start % 2 == 0 ? Exit(1) : new ProcessEnd(7, null, 9), now);
            if (start == Supervisor.MaximumStarts) break;
            Assert.Equal([SupervisorActionKind.Say], Kinds(supervisor, now));
            pauses.Add((supervisor.NextDeadline - now).TotalSeconds);
            Assert.Empty(Kinds(supervisor, supervisor.NextDeadline - TimeSpan.FromTicks(1)));
            now = supervisor.NextDeadline;
        }
        Assert.Equal([1, 2, 4, 8, 16, 30], pauses);
        SupervisorAction end = Assert.Single(Actions(supervisor, now));
        Assert.Equal((SupervisorActionKind.Finish, "the work was killed, 7 times"), (end.Kind, end.Text));
    }

    [Fact]
    public void A_child_that_cannot_be_started_is_tried_again_and_given_up_in_time()
    {
        Supervisor supervisor = new(TimeSpan.FromSeconds(10), watchdog: false, TimeSpan.Zero);
        TimeSpan now = TimeSpan.Zero;
        SupervisorAction last = default;
        while (last.Kind != SupervisorActionKind.Finish)
        {
            foreach (SupervisorAction action in Actions(supervisor, now))
            {
                last = action;
                if (action.Kind == SupervisorActionKind.StartChild) supervisor.ChildNotStarted("no memory", now);
            }
            now = supervisor.NextDeadline < now ? now : supervisor.NextDeadline;
            Assert.True(now < At(60) || last.Kind == SupervisorActionKind.Finish);
        }
        Assert.Equal("nothing moved for 10 s", last.Text);
    }

    [Fact]
    public void A_child_that_lives_but_moves_nothing_is_killed_after_the_give_up_time()
    {
        Supervisor supervisor = Running(out TimeSpan now);
        supervisor.ChildMoved(1000, now + At(100));
        Assert.Empty(Kinds(supervisor, now + At(399)));
        supervisor.ChildMoved(1000, now + At(399)); // alive, but not one byte more
        Assert.Equal([SupervisorActionKind.KillChild], Kinds(supervisor, now + At(400)));
        supervisor.ChildEnded(new ProcessEnd(7, null, 9), now + At(400));
        SupervisorAction end = Assert.Single(Actions(supervisor, now + At(400)));
        Assert.Equal((SupervisorActionKind.Finish, "nothing moved for 300 s"), (end.Kind, end.Text));
    }

    [Fact]
    public void A_child_that_cannot_even_be_killed_does_not_hold_up_the_end()
    {
        Supervisor supervisor = Running(out TimeSpan now);
        Assert.Equal([SupervisorActionKind.KillChild], Kinds(supervisor, now + GiveUp));
        Assert.Empty(Kinds(supervisor, now + GiveUp + At(4)));
        Assert.Equal([SupervisorActionKind.Finish], Kinds(supervisor, supervisor.NextDeadline));
    }

    [Fact]
    public void A_new_child_counts_its_movement_from_zero_and_the_pause_counts_as_standstill()
    {
        Supervisor supervisor = Running(out TimeSpan now);
        supervisor.ChildMoved(1_000_000, now);
        supervisor.ChildEnded(Exit(1), now + At(299));
        Assert.Equal([SupervisorActionKind.Say], Kinds(supervisor, now + At(299)));
        Assert.Equal([SupervisorActionKind.Finish], Kinds(supervisor, now + At(300)));

        supervisor = Running(out now);
        supervisor.ChildMoved(1_000_000, now);
        supervisor.ChildEnded(Exit(1), now + At(10));
        Assert.Equal([SupervisorActionKind.Say, SupervisorActionKind.StartChild], Kinds(supervisor, now + At(11)));
        supervisor.ChildStarted();
        supervisor.ChildMoved(5, now + At(200));
        Assert.Empty(Kinds(supervisor, now + At(499)));
    }

    [Fact]
    public void The_watchdog_is_fed_from_the_first_moment_to_the_end_whatever_the_child_does()
    {
        Supervisor supervisor = new(At(60), watchdog: true, TimeSpan.Zero);
        int feeds = 0;
        TimeSpan longest = TimeSpan.Zero, last = TimeSpan.Zero;
        bool finished = false;
        for (TimeSpan now = TimeSpan.Zero; !finished; now = supervisor.NextDeadline)
        {
            foreach (SupervisorAction action in Actions(supervisor, now))
            {
                if (action.Kind == SupervisorActionKind.StartChild) supervisor.ChildStarted();
                finished |= action.Kind == SupervisorActionKind.Finish;
                if (action.Kind != SupervisorActionKind.FeedWatchdog) continue;
                feeds++;
                longest = now - last > longest ? now - last : longest;
                last = now;
            }
            Assert.True(now < At(120));
        }
        Assert.True(feeds >= 30, $"{feeds} feeds");
        Assert.True(longest <= Supervisor.FeedInterval);
    }

    [Fact]
    public void It_always_ends_whatever_happens_in_whatever_order()
    {
        Gen.Select(Gen.Int[0, 5], Gen.Int[0, 40]).Array[0, 400].Sample(events =>
        {
            Supervisor supervisor = new(At(30), watchdog: true, TimeSpan.Zero);
            TimeSpan now = TimeSpan.Zero;
            int finishes = 0, kills = 0;
            void Step()
            {
                foreach (SupervisorAction action in Actions(supervisor, now))
                {
                    finishes += action.Kind == SupervisorActionKind.Finish ? 1 : 0;
                    kills += action.Kind == SupervisorActionKind.KillChild ? 1 : 0;
                }
            }
            foreach ((int what, int seconds) in events)
            {
                now += At(seconds) / 10;
                switch (what)
                {
                    case 0: supervisor.ChildStarted(); break;
                    case 1: supervisor.ChildNotStarted("x", now); break;
                    case 2: supervisor.ChildMoved((ulong)seconds, now); break;
                    case 3: supervisor.ChildEnded(Exit(1), now); break;
                    case 4: supervisor.ChildEnded(new ProcessEnd(7, null, 11), now); break;
                    default: break;
                }
                Step();
            }
            for (int i = 0; i < 1000 && finishes == 0; i++)
            {
                supervisor.ChildStarted();
                now = supervisor.NextDeadline > now ? supervisor.NextDeadline : now;
                Step();
            }
            Assert.Equal(1, finishes);
            Assert.InRange(kills, 0, 1);
        }, iter: 500);
    }

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);

    private static ProcessEnd Exit(int code) => new(7, code, 0);

    private static Supervisor Running(out TimeSpan now)
    {
        now = At(3);
        Supervisor supervisor = new(GiveUp, watchdog: false, now);
        Assert.Equal([SupervisorActionKind.StartChild], Kinds(supervisor, now));
        supervisor.ChildStarted();
        return supervisor;
    }

    private static List<SupervisorAction> Actions(Supervisor supervisor, TimeSpan now)
    {
        supervisor.Advance(now);
        List<SupervisorAction> actions = [];
        while (supervisor.TryTakeAction(out SupervisorAction action)) actions.Add(action);
        return actions;
    }

    private static IEnumerable<SupervisorActionKind> Kinds(Supervisor supervisor, TimeSpan now) => Actions(supervisor, now).Select(a => a.Kind);
}
