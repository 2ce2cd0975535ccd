using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Netdump.Client.Image;
using Netdump.Client.Linux;
using Netdump.Client.Send;

namespace Netdump.Client.Capture;

/// <summary>
/// The child of pid 1 that does the work: drivers, link, /proc/vmcore, the dead kernel's log and memory to the server. It may be
/// killed and started again at any point; every step bears being done twice.
/// </summary>
public sealed class Worker
{
    private const string Vmcore = "/proc/vmcore";

    private readonly CaptureConsole _console;
    private readonly CaptureManifest _manifest;
    private readonly SendWatch _watch;

    private Worker(CaptureConsole console, CaptureManifest manifest, SendWatch watch)
    {
        _console = console;
        _manifest = manifest;
        _watch = watch;
    }

    /// <summary>The child's program.</summary>
    /// <param name="args"><see cref="Init.ChildCommand"/>, the descriptor of the pipe to pid 1, which start of the child this is.</param>
    /// <returns>An exit code that pid 1 understands (<see cref="CaptureExit"/>).</returns>
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
            Processes.SetName("netdump");
            CaptureManifest manifest = CaptureManifest.FromJson(File.ReadAllBytes(CaptureManifest.ImagePath));
            Rehearsal rehearsal = Rehearsal.Parse(File.ReadAllText("/proc/cmdline"), out string? complaint);
            if (complaint is not null) console.Say(complaint);
            MovementWriter movement = new(new SafeFileHandle(descriptor, ownsHandle: true));
            SendWatch watch = new(console, movement, rehearsal, start);
            return new Worker(console, manifest, watch).Work();
        }
        catch (JsonException failure)
        {
            console.Say($"{CaptureManifest.ImagePath}: {failure.Message}");
            return CaptureExit.Hopeless;
        }
        catch (Exception failure)
        {
            console.Say(failure is IOException or ClientException ? failure.Message : $"{failure.GetType().Name}: {failure.Message}");
            return CaptureExit.Failed;
        }
    }

    private int Work()
    {
        int loaded = ModuleLoading.Load(_manifest.Modules, _console.Say);
        ModuleLoading.Bind(_manifest.PhyBindings, _console.Say);
        _console.Reached($"{loaded} of {_manifest.Modules.Count} modules loaded");
        if (!File.Exists(Vmcore))
        {
            _console.Say($"{Vmcore} is not there: this kernel was not started by a crash; there is nothing to send");
            return CaptureExit.Hopeless;
        }
        using DumpSource dump = DumpSource.Open(Vmcore, mapped: true);
        _console.Reached($"{Vmcore} open, {dump.RamPages} pages of {dump.PageSize} bytes");
        if (dump.LogTrouble is { } trouble) _console.Say($"the dead kernel's log cannot be sent: {trouble}");
        if (_manifest.Digest)
            _console.Say($"{Vmcore} is {dump.File.Bytes.Length} bytes, xxh128 {VmcoreDigest.Compute(dump.File.Bytes, mapped: true, _watch.Moved)}");
        // A child that was lost may have been lost by this: the next one leaves it out.
        Diagnosis? diagnosis = _watch.Start == 1 ? Diagnosis.Make(Vmcore, mapped: true, _console.Say) : null;
        if (diagnosis is not null) _console.Reached("the crash was looked at");
        bool isSent = new Ladder(_manifest, dump, diagnosis, _console, _watch).Send();
        // What crashkernel= has to leave room for.
        if (SizeLines.Find(File.ReadLines("/proc/self/status"), "VmHWM") is { } peak) _console.Say($"at most {peak >> 20} MiB of memory were resident");
        return isSent ? CaptureExit.Done : CaptureExit.Failed;
    }
}
