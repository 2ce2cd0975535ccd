using Netdump.Kernel.Tasks;

namespace Netdump.Kernel.Report.Findings;

/// <summary>Tasks in uninterruptible sleep, and what their stacks say they wait for.</summary>
internal static class BlockedFindings
{
    // Functions that name what is waited for (crash-tool users' checklist: block layer, NFS, journals, frozen file systems).
    private static readonly (string Id, string Words, string[] Functions)[] Sleeps =
    [
        ("io-stuck", "for a disk", ["io_schedule", "blk_mq_get_tag", "submit_bio_wait", "folio_wait_bit_common", "wait_on_page_bit_common"]),
        ("nfs-stuck", "for an NFS server", ["rpc_wait_bit_killable", "nfs_wait_bit_killable", "nfs4_handle_exception"]),
        ("journal-stuck", "for a file system's journal", ["jbd2_journal_commit_transaction", "wait_transaction_locked", "xlog_grant_head_wait", "xfs_buf_lock", "btrfs_commit_transaction"]),
        ("fs-frozen", "for a frozen file system", ["percpu_rwsem_wait", "__sb_start_write", "sb_start_write"]),
    ];

    public static IEnumerable<ReportFinding> Of(TaskList tasks, Func<KernelTask, IEnumerable<string>> functionsOf)
    {
        List<KernelTask> blocked = [.. tasks.All.Where(t => t.State == 'D').OrderByDescending(t => t.SinceLastRun ?? TimeSpan.Zero)];
        if (blocked.Count == 0)
            yield break;
        var oldest = blocked[0].SinceLastRun ?? TimeSpan.Zero;
        var severity = blocked.Count > 20 || oldest.TotalSeconds > 120 ? Finding.Critical : blocked.Count > 5 || oldest.TotalSeconds > 30 ? Finding.Warning : Finding.Note;
        yield return Finding.Of(
            "d-storm", severity,
            $"{(blocked.Count == 1 ? "1 task is" : $"{blocked.Count} tasks are")} in uninterruptible sleep, {blocked[0]} for {Finding.Words(oldest)}.",
            "netdump bt FILE --state D --group", ("count", blocked.Count), ("oldest_pid", blocked[0].Pid), ("seconds", oldest.TotalSeconds));
        foreach (var (id, words, functions) in Sleeps)
        {
            List<KernelTask> waiting = [.. blocked.Where(t => functionsOf(t).Any(f => Array.IndexOf(functions, f) >= 0))];
            if (waiting.Count == 0)
                continue;
            var longest = waiting[0].SinceLastRun ?? TimeSpan.Zero;
            var worse = longest.TotalSeconds > 30 ? Finding.Critical : longest.TotalSeconds > 10 ? Finding.Warning : Finding.Note;
            yield return Finding.Of(
                id, worse, $"{(waiting.Count == 1 ? "1 task waits" : $"{waiting.Count} tasks wait")} {words}, {waiting[0]} for {Finding.Words(longest)}.",
                $"netdump bt FILE {waiting[0].Pid}", ("count", waiting.Count), ("function", functionsOf(waiting[0]).First(f => Array.IndexOf(functions, f) >= 0)), ("seconds", longest.TotalSeconds));
        }
    }
}
