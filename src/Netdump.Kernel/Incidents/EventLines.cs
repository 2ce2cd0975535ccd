using System.Buffers;

namespace Netdump.Kernel.Incidents;

/// <summary>An incident told in one line.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Severity">How grave.</param>
/// <param name="Title">Its title: the same for each of a burst.</param>
internal readonly record struct EventLine(IncidentKind Kind, IncidentSeverity Severity, string Title)
{
    public Incident ToIncident(in ConsoleLine line, long number)
    {
        string word = Kind == IncidentKind.OutOfMemory ? CrashClass.OutOfMemory : Kind == IncidentKind.Hardware ? CrashClass.Hardware : CrashClass.Incident;
        return new()
        {
            Kind = Kind,
            Severity = Severity,
            Class = word,
            Head = line.Text.Trim(),
            Title = Title,
            FirstLine = number,
            LastLine = number,
            Time = line.Time,
            Context = line.Context,
            Signature = CrashSignature.Of(word, [], Title, Title),
        };
    }
}

/// <summary>Incidents that operators expect and that have no report of many lines: hardware, storage, file systems, network, memory.</summary>
internal static class EventLines
{
    private const IncidentSeverity Notice = IncidentSeverity.Notice, Warning = IncidentSeverity.Warning, Error = IncidentSeverity.Error;

    // Word, a second word or null, kind, severity, title. {w}: the word after the first; {d}: what is in the parentheses that follow it.
    private static readonly (string Word, string? And, IncidentKind Kind, IncidentSeverity Severity, string Title)[] Table =
    [
        ("Memory cgroup out of memory: Killed process ", null, IncidentKind.OutOfMemory, Error, "OOM kill of {d} (memory cgroup)"),
        ("Out of memory: Killed process ", null, IncidentKind.OutOfMemory, Error, "OOM kill of {d}"),
        ("[Hardware Error]: ", "Machine Check", IncidentKind.Hardware, Error, "machine check"),
        ("Machine check events logged", null, IncidentKind.Hardware, Warning, "machine check events logged"),
        ("Hardware error from APEI Generic Hardware Error Source", null, IncidentKind.Hardware, Error, "hardware error from firmware (APEI)"),
        ("EDAC ", " UE ", IncidentKind.Hardware, Error, "EDAC uncorrected memory error on {w}"),
        ("EDAC ", " CE ", IncidentKind.Hardware, Warning, "EDAC corrected memory error on {w}"),
        ("Memory failure: 0x", null, IncidentKind.Hardware, Error, "memory failure"),
        ("NMI: PCI system error (SERR)", null, IncidentKind.Hardware, Error, "NMI: PCI system error"),
        ("NMI: IOCK error", null, IncidentKind.Hardware, Error, "NMI: IOCK error"),
        ("Uhhuh. NMI received for unknown reason", null, IncidentKind.Hardware, Error, "NMI for unknown reason"),
        ("temperature is above threshold, cpu clock is throttled", null, IncidentKind.Hardware, Warning, "CPU too hot, clock throttled"),
        ("PCIe Bus Error: severity=", "Uncorrected", IncidentKind.Hardware, Error, "uncorrected PCIe bus error"),
        ("PCIe Bus Error: severity=", null, IncidentKind.Hardware, Warning, "corrected PCIe bus error"),
        ("DMAR: ", "fault addr", IncidentKind.Hardware, Error, "DMA to an address the device may not touch (DMAR)"),
        ("IO_PAGE_FAULT", null, IncidentKind.Hardware, Error, "DMA to an address the device may not touch (IO_PAGE_FAULT)"),
        ("Buffer I/O error on dev ", null, IncidentKind.Storage, Error, "buffer I/O error on {w}"),
        ("I/O error, dev ", null, IncidentKind.Storage, Error, "I/O error on {w}"),
        ("critical medium error, dev ", null, IncidentKind.Storage, Error, "medium error on {w}"),
        ("critical target error, dev ", null, IncidentKind.Storage, Error, "target error on {w}"),
        ("nvme ", " timeout, ", IncidentKind.Storage, Error, "NVMe timeout on {w}"),
        ("nvme ", "controller is down; will reset", IncidentKind.Storage, Error, "NVMe controller down: {w}"),
        (": exception Emask", null, IncidentKind.Storage, Error, "ATA exception on {0}"),
        (": failed command: ", null, IncidentKind.Storage, Error, "ATA command failed on {0}"),
        (": hard resetting link", null, IncidentKind.Storage, Warning, "ATA link reset on {0}"),
        ("rejecting I/O to offline device", null, IncidentKind.Storage, Error, "I/O to an offline device"),
        ("Device offlined - ", null, IncidentKind.Storage, Error, "device taken offline"),
        ("md/raid", ": Disk failure on ", IncidentKind.Storage, Error, "RAID disk failure"),
        ("EXT4-fs error (device ", null, IncidentKind.Filesystem, Error, "EXT4 error on {d}"),
        ("Remounting filesystem read-only", null, IncidentKind.Filesystem, Error, "file system remounted read-only"),
        ("Aborting journal on device ", null, IncidentKind.Filesystem, Error, "journal aborted on {w}"),
        ("XFS (", "Corruption detected. Unmount and run xfs_repair", IncidentKind.Filesystem, Error, "XFS corruption"),
        ("XFS (", "Corruption of in-memory data", IncidentKind.Filesystem, Error, "XFS corruption in memory"),
        ("XFS (", "Shutting down filesystem", IncidentKind.Filesystem, Error, "XFS shut down"),
        ("XFS (", "metadata I/O error", IncidentKind.Filesystem, Error, "XFS metadata I/O error"),
        ("BTRFS error (device ", null, IncidentKind.Filesystem, Error, "BTRFS error"),
        ("BTRFS critical", null, IncidentKind.Filesystem, Error, "BTRFS critical error"),
        ("BTRFS", "Transaction aborted", IncidentKind.Filesystem, Error, "BTRFS transaction aborted"),
        ("BTRFS", "forced readonly", IncidentKind.Filesystem, Error, "BTRFS forced read-only"),
        ("NETDEV WATCHDOG: ", "timed out", IncidentKind.Network, Error, "network transmit queue timed out"),
        ("vmalloc error: size", null, IncidentKind.AllocationFailure, Warning, "vmalloc failed"),
        (" not responding, still trying", "nfs: server ", IncidentKind.Network, Warning, "NFS server not responding"),
        ("sched: RT throttling activated", null, IncidentKind.Other, Notice, "real-time tasks throttled"),
    ];

    private static readonly SearchValues<string> Words = SearchValues.Create([.. Table.Select(t => t.Word)], StringComparison.Ordinal);

    /// <summary>Whether a line tells of an incident by itself.</summary>
    public static bool TryRead(ReadOnlySpan<char> line, out EventLine found)
    {
        found = default;
        if (!line.ContainsAny(Words))
            return false;
        foreach ((string word, string? and, IncidentKind kind, IncidentSeverity severity, string title) in Table)
        {
            int at = line.IndexOf(word, StringComparison.Ordinal);
            if (at < 0 || (and is not null && !line.Contains(and, StringComparison.Ordinal)))
                continue;
            found = new(kind, severity, TitleText.Clean(Fill(title, line, at, word.Length)));
            return true;
        }
        return false;
    }

    private static string Fill(string title, ReadOnlySpan<char> line, int at, int length)
    {
        ReadOnlySpan<char> after = line[(at + length)..];
        if (title.Contains("{w}", StringComparison.Ordinal))
            return title.Replace("{w}", Text.Word(after).TrimEnd(",:.").ToString(), StringComparison.Ordinal);
        if (title.Contains("{0}", StringComparison.Ordinal))
            return title.Replace("{0}", Text.Word(line[..at]).ToString(), StringComparison.Ordinal);
        if (!title.Contains("{d}", StringComparison.Ordinal))
            return title;
        ReadOnlySpan<char> rest = line[at..];
        int open = rest.IndexOf('(');
        int close = open < 0 ? -1 : rest[open..].IndexOf(')');
        ReadOnlySpan<char> inside = close < 0 ? [] : rest.Slice(open + 1, close - 1);
        if (inside.StartsWith("device "))
            inside = inside[7..];
        return title.Replace("{d}", inside.ToString(), StringComparison.Ordinal);
    }
}
