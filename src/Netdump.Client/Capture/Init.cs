using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Capture;

/// <summary>
/// pid 1 of the capture kernel. It only supervises, by the decisions of <see cref="Supervisor"/>: a pid 1 that dies is a host
/// that does not come back, so it allocates little, catches everything and leaves the work to a child. Whatever happens, it restarts the machine.
/// </summary>
public static class Init
{
    /// <summary>The hidden command by which pid 1 starts the child: <c>capture-child DESCRIPTOR NUMBER</c>.</summary>
    public const string ChildCommand = "capture-child";

    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(250); // children that ended are reaped as often

    /// <summary>True for the first process of a capture image.</summary>
    public static bool IsCaptureKernel => Environment.ProcessId == 1 && File.Exists(CaptureManifest.ImagePath);

    /// <summary>Supervises until the machine restarts. Never returns.</summary>
    public static int Run()
    {
        CaptureConsole? console = null;
        try
        {
            IReadOnlyList<string> failures = InitFiles.Mount();
            console = CaptureConsole.Open();
            Try(console, InitFiles.LiftLogLimit);
            Try(console, InitFiles.BoundSendBuffers);
            Try(console, InitFiles.BoundFreeLists);
            console.Reached("the capture kernel runs netdump");
            foreach (string failure in failures) console.Say(failure);
            Try(console, () => Processes.SetOutOfMemoryScore(-1000));
            CaptureManifest? manifest = ReadManifest(console);
            Watchdog? watchdog = manifest?.Watchdog == true ? new Watchdog() : null;
            TimeSpan giveUp = TimeSpan.FromSeconds(Math.Max(1, manifest?.GiveUpSeconds ?? 300));
            Try(console, () => Supervise(new Supervisor(giveUp, watchdog is not null, Uptime.Now), watchdog, console));
            End(manifest?.FinalAction ?? FinalAction.Reboot, watchdog, console);
        }
        catch (Exception failure)
        {
            Tell(console, failure);
        }
        Restart(console);
        return 0;
    }

    private static CaptureManifest? ReadManifest(CaptureConsole console)
    {
        try
        {
            return CaptureManifest.FromJson(File.ReadAllBytes(CaptureManifest.ImagePath));
        }
        catch (Exception failure) when (failure is IOException or JsonException or UnauthorizedAccessException)
        {
            console.Say($"{CaptureManifest.ImagePath}: {failure.Message}"); // the child says the same and ends; then we reboot
            return null;
        }
    }

    private static void Supervise(Supervisor supervisor, Watchdog? watchdog, CaptureConsole console)
    {
        int child = 0;
        MovementReader? movement = null;
        while (true)
        {
            TimeSpan now = Uptime.Now;
            if (movement is not null)
            {
                bool open = movement.TryRead(out ulong total);
                if (total > 0) supervisor.ChildMoved(total, now);
                if (!open)
                {
                    movement.Dispose();
                    movement = null;
                }
            }
            while (Processes.TryReap(out ProcessEnd end))
            {
                if (end.ProcessId == child) supervisor.ChildEnded(end, now);
            }
            supervisor.Advance(now);
            while (supervisor.TryTakeAction(out SupervisorAction action))
            {
                switch (action.Kind)
                {
                    case SupervisorActionKind.Say:
                        console.Say(action.Text);
                        break;
                    case SupervisorActionKind.StartChild:
                        movement?.Dispose();
                        movement = null;
                        Start(supervisor, ref child, ref movement);
                        break;
                    case SupervisorActionKind.KillChild:
                        Try(console, () => Processes.Signal(child, Processes.Kill));
                        break;
                    case SupervisorActionKind.FeedWatchdog:
                        Feed(watchdog, console);
                        break;
                    default:
                        console.Reached($"the end: {action.Text}");
                        return;
                }
            }
            TimeSpan left = supervisor.NextDeadline - Uptime.Now;
            TimeSpan wait = left < TimeSpan.Zero ? TimeSpan.Zero : left < LongestWait ? left : LongestWait;
            if (movement is null) Descriptors.Pause(wait);
            else Descriptors.WaitReadable(movement.Pipe, wait);
        }
    }

    private static void Start(Supervisor supervisor, ref int child, ref MovementReader? movement)
    {
        try
        {
            (SafeFileHandle reader, SafeFileHandle writer) = Descriptors.PipeForChild();
            movement = new MovementReader(reader);
            using (writer)
                child = Processes.Start("/proc/self/exe", "netdump", ChildCommand, writer.DangerousGetHandle().ToString(), supervisor.Starts.ToString());
            supervisor.ChildStarted();
        }
        catch (IOException failure)
        {
            supervisor.ChildNotStarted(failure.Message, Uptime.Now);
        }
    }

    private static void Feed(Watchdog? watchdog, CaptureConsole console) => Try(console, () =>
    {
        if (watchdog?.Feed() == true) console.Say("the watchdog is fed");
    });

    private static void End(FinalAction final, Watchdog? watchdog, CaptureConsole console)
    {
        if (final == FinalAction.Shell && File.Exists(StaticShell.Name)) Try(console, () => RunShell(watchdog, console));
        console.Reached(final == FinalAction.Halt ? "halting" : "restarting");
        Power.Sync();
        if (final == FinalAction.Halt) Power.Request(PowerAction.Halt);
    }

    /// <summary>Never returns. From here on the watchdog is not fed: where the kernel cannot restart the machine, it will.</summary>
    private static void Restart(CaptureConsole? console)
    {
        while (true)
        {
            Try(console, static () => Power.Request(PowerAction.Restart));
            Try(console, Power.RestartBySysRq);
            Descriptors.Pause(TimeSpan.FromSeconds(10));
        }
    }

    private static void RunShell(Watchdog? watchdog, CaptureConsole console)
    {
        console.Say($"{StaticShell.Name} on the console; the machine restarts when it ends");
        int shell = Processes.Start(StaticShell.Name, "sh");
        while (true)
        {
            while (Processes.TryReap(out ProcessEnd end))
            {
                if (end.ProcessId == shell) return;
            }
            Feed(watchdog, console);
            Descriptors.Pause(Supervisor.FeedInterval);
        }
    }

    private static void Try(CaptureConsole? console, Action action)
    {
        try
        {
            action();
        }
        catch (Exception failure)
        {
            Tell(console, failure);
        }
    }

    private static void Tell(CaptureConsole? console, Exception failure)
    {
        try
        {
            console?.Say(failure is IOException ? failure.Message : $"pid 1: {failure.GetType().Name}: {failure.Message}");
        }
        catch (Exception)
        {
            // Not even memory for a line: the restart must come all the same.
        }
    }
}
