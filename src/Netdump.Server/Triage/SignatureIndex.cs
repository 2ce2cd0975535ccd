using Netdump.Server.Store;

namespace Netdump.Server.Triage;

/// <summary>
/// How many dumps of a signature came within the last 24 hours: counted from the crashes' report.json, read once at the start, and each new one when
/// its analysis is done. Thread-safe.
/// </summary>
internal sealed class SignatureIndex(TimeProvider time)
{
    /// <summary>For how long a dump counts.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromHours(24);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Dictionary<string, DateTimeOffset>> _dumps = new(StringComparer.Ordinal); // signature, crash, when

    /// <summary>Reads the reports of a store's crashes whose dump came within the window. Throws <see cref="IOException"/>.</summary>
    public void Load(CrashStore store)
    {
        foreach (CrashDirectory directory in store.WithDump())
            Add(directory);
    }

    /// <summary>Counts a crash, when it has a report and its dump is complete and came within the window.</summary>
    public void Add(CrashDirectory directory)
    {
        DateTimeOffset came = FileTimes.WrittenAt(directory.File(VmcoreWriter.CompleteName));
        if (came < time.GetUtcNow() - Window || StoredReport.Read(directory)?.Signature is not { } signature)
            return;
        lock (_lock)
        {
            if (!_dumps.TryGetValue(signature, out Dictionary<string, DateTimeOffset>? crashes))
                _dumps.Add(signature, crashes = new(StringComparer.Ordinal));
            crashes[directory.Name] = came;
        }
    }

    /// <summary>Dumps of a signature within the window.</summary>
    public int Count(string signature)
    {
        lock (_lock)
        {
            if (!_dumps.TryGetValue(signature, out Dictionary<string, DateTimeOffset>? crashes))
                return 0;
            DateTimeOffset since = time.GetUtcNow() - Window;
            foreach ((string crash, DateTimeOffset at) in crashes)
                if (at < since)
                    crashes.Remove(crash);
            if (crashes.Count == 0)
                _dumps.Remove(signature);
            return crashes.Count;
        }
    }
}
