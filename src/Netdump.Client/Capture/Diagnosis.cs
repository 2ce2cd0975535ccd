using Netdump.Kernel;
using Netdump.Kernel.Incidents;
using Netdump.Kernel.Report;
using Netdump.Kernel.Tasks;
using Netdump.Protocols.Upload;
using Netdump.Vmcore;

namespace Netdump.Client.Capture;

/// <summary>
/// What the dead kernel's memory says, before its dump goes out: title and signature of the crash, and the list of tasks. None of it may cost the
/// dump: it works on an opening of its own, beside the sender, and whatever goes wrong is one line.
/// </summary>
internal sealed class Diagnosis
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15); // a machine under emulation is that slow

    // Half of what a server of ours keeps of a crash's log: some ten thousand tasks. Who waits for the host to come back does not wait longer.
    private const int MostText = 8 << 20;
    private static readonly TimeSpan StateLimit = TimeSpan.FromSeconds(60);

    private readonly Func<VmcoreFile> _open;
    private CrashSignature? _signature;

    private Diagnosis(Func<VmcoreFile> open) => _open = open;

    /// <summary>Finds title and signature and says them; gives up waiting when that takes long.</summary>
    /// <param name="path">The dump.</param>
    /// <param name="mapped">Whether it is /proc/vmcore, so that what is looked at costs this kernel no memory.</param>
    /// <param name="say">Takes a line.</param>
    /// <param name="limit">How long is waited; null for what suits a capture kernel.</param>
    public static Diagnosis Make(string path, bool mapped, Action<string> say, TimeSpan? limit = null)
    {
        Diagnosis diagnosis = new(mapped ? () => VmcoreFile.OpenMapped(path) : () => VmcoreFile.Open(path));
        Exception? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                using VmcoreFile dump = diagnosis._open();
                diagnosis._signature = ReportBuilder.Identify(dump);
            }
            catch (Exception e)
            {
                failure = e;
            }
        })
        { IsBackground = true, Name = "diagnosis" };
        thread.Start();
        if (!thread.Join(limit ?? Limit))
            say("what crashed is not found out yet: the dump goes out without");
        else if (failure is not null)
            say($"what crashed cannot be found out here: {failure.Message}");
        else
            say(diagnosis.Line);
        GiveBack();
        return diagnosis;
    }

    /// <summary>The crash in one line; null when it was not found out.</summary>
    public string? Title => _signature?.Title;

    /// <summary>By what the server groups it; null when it was not found out.</summary>
    public AnnouncedSignature? Signature => _signature is { } s ? new(s.Version, s.Id) : null;

    private string Line => _signature is { } signature ? $"crash: {signature.Title} ({signature.Id})" : "crash: not identified";

    /// <summary>Title, signature and the tasks as SysRq-t prints them, made while they are taken; of very many tasks, the first.</summary>
    /// <param name="most">How many characters of tasks; null for what suits a capture kernel.</param>
    public IEnumerable<string> State(int? most = null)
    {
        long began = TimeProvider.System.GetTimestamp();
        int room = most ?? MostText;
        if (_signature is { } signature)
            yield return $"netdump: {Line}\nnetdump: signature {signature.Key}\n";
        foreach (string task in Tasks())
        {
            if ((room -= task.Length) < 0 || TimeProvider.System.GetElapsedTime(began) > StateLimit)
            {
                yield return "netdump: the list of tasks ends here, the dump has all of them: netdump ps\n";
                break;
            }
            yield return task;
        }
        GiveBack();
    }

    private IEnumerable<string> Tasks()
    {
        using VmcoreFile dump = _open();
        foreach (string task in new SysRqT(new CrashedKernel(dump)).Texts())
            yield return task;
    }

    // Symbols and types are not needed again before the server asks for the tasks (once more); the sender's buffers come meanwhile.
    private static void GiveBack() => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
}
