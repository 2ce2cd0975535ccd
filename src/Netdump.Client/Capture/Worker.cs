using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Capture;

/// <summary>
/// The child of pid 1 that does the work: drivers, link, /proc/vmcore, the dead kernel's log and memory to the server. It may be
/// killed and started again at any point; every step bears being done twice.
/// </summary>
public sealed class Worker
{
    private const string Vmcore = "/proc/vmcore";
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly CaptureConsole _console;
    private readonly CaptureManifest _manifest;
    private readonly MovementWriter _movement;
    private readonly Rehearsal _rehearsal;
    private readonly int _start;

    private Worker(CaptureConsole console, CaptureManifest manifest, MovementWriter movement, Rehearsal rehearsal, int start)
    {
        _console = console;
        _manifest = manifest;
        _movement = movement;
        _rehearsal = rehearsal;
        _start = start;
    }

    /// <summary>The child's program.</summary>
    /// <param name="args"><see cref="Init.ChildCommand"/>, the descriptor of the pipe to pid 1, which start of the child this is.</param>
    /// <returns>An exit code that pid 1 understands.</returns>
    public static int Run(string[] args)
    {
        if (args.Length != 3 || !int.TryParse(args[1], out int descriptor) || !int.TryParse(args[2], out int start))
        {
            Console.Error.WriteLine($"netdump: {Init.ChildCommand} is started by the capture kernel's pid 1 alone");
            return 2;
        }
        CaptureConsole console = CaptureConsole.Open();
        try
        {
            Processes.SetOutOfMemoryScore(1000);
            CaptureManifest manifest = CaptureManifest.FromJson(File.ReadAllBytes(CaptureManifest.ImagePath));
            Rehearsal rehearsal = Rehearsal.Parse(File.ReadAllText("/proc/cmdline"), out string? complaint);
            if (complaint is not null) console.Say(complaint);
            MovementWriter movement = new(new SafeFileHandle(descriptor, ownsHandle: true));
            return new Worker(console, manifest, movement, rehearsal, start).Work();
        }
        catch (Exception failure) when (failure is JsonException)
        {
            console.Say($"{CaptureManifest.ImagePath}: {failure.Message}");
            return CaptureExit.Hopeless;
        }
        catch (Exception failure)
        {
            console.Say($"the work failed: {failure.GetType().Name}: {failure.Message}");
            return CaptureExit.Failed;
        }
    }

    private int Work()
    {
        int loaded = ModuleLoading.Load(_manifest.Modules, _console.Say);
        ModuleLoading.Bind(_manifest.PhyBindings, _console.Say);
        _console.Reached($"{loaded} of {_manifest.Modules.Count} modules are loaded");
        if (!File.Exists(Vmcore))
        {
            _console.Say($"{Vmcore} is not there: this kernel was not started by a crash; there is nothing to send");
            return CaptureExit.Hopeless;
        }
        using RouteNetlink netlink = new();
        LinkSetup setup = new(netlink, _console.Say);
        foreach (CaptureInterface wanted in _manifest.Interfaces)
        {
            if (setup.BringUp(wanted) is { } link)
                _console.Reached($"{link.Name} is up ({wanted.Name} on the host), {string.Join(", ", wanted.Addresses.Select(a => $"{a.Address}/{a.PrefixLength}"))}");
        }
        return CaptureExit.Done;
    }
}
