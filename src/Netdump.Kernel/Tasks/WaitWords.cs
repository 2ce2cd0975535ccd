namespace Netdump.Kernel.Tasks;

/// <summary>What the functions on a sleeping task's stack say of its wait: the record types differ by them, not by the words on the stack.</summary>
internal static class WaitWords
{
    // In this order: the longer name before the one it begins with.
    private static readonly (string Prefix, WaitKind Kind)[] Primitives =
    [
        ("__mutex_lock", WaitKind.Mutex), ("__ww_mutex_lock", WaitKind.Mutex), ("mutex_lock", WaitKind.Mutex), ("ww_mutex_lock", WaitKind.Mutex),
        ("__rt_mutex", WaitKind.RealTimeMutex), ("rt_mutex_", WaitKind.RealTimeMutex), ("rtlock_", WaitKind.RealTimeMutex),
        ("rwsem_down_read", WaitKind.ReadSemaphore), ("__down_read", WaitKind.ReadSemaphore), ("down_read", WaitKind.ReadSemaphore),
        ("rwsem_down_write", WaitKind.WriteSemaphore), ("__down_write", WaitKind.WriteSemaphore), ("down_write", WaitKind.WriteSemaphore),
        ("__wait_for_common", WaitKind.Completion), ("wait_for_completion", WaitKind.Completion), ("do_wait_for_common", WaitKind.Completion),
        ("folio_wait_bit", WaitKind.PageLock), ("__folio_lock", WaitKind.PageLock), ("wait_on_page_bit", WaitKind.PageLock),
        ("__lock_page", WaitKind.PageLock), ("folio_wait_", WaitKind.PageLock), ("folio_put_wait_locked", WaitKind.PageLock),
    ];

    private static readonly string[] Semaphores =
        ["__down", "__down_common", "__down_interruptible", "__down_killable", "__down_timeout", "down", "down_interruptible", "down_killable", "down_timeout"];

    private static readonly (string Name, string Words)[] Sleeps =
    [
        ("do_nanosleep", "sleeps for a time"), ("hrtimer_nanosleep", "sleeps for a time"), ("msleep", "sleeps for a time"), ("usleep_range", "sleeps for a time"),
        ("do_select", "waits in select for one of its files"), ("do_sys_poll", "waits in poll for one of its files"), ("do_poll", "waits in poll for one of its files"),
        ("ep_poll", "waits in epoll for one of its files"), ("do_epoll_wait", "waits in epoll for one of its files"),
        ("pipe_read", "waits for data in a pipe"), ("anon_pipe_read", "waits for data in a pipe"), ("pipe_write", "waits for room in a pipe"),
        ("futex_wait", "waits for a futex of its program"), ("do_wait", "waits for a child process to end"), ("kernel_wait4", "waits for a child process to end"),
        ("worker_thread", "a workqueue's worker without work"), ("rescuer_thread", "a workqueue's rescuer without work"),
        ("kthread_worker_fn", "a kernel worker without work"), ("smpboot_thread_fn", "a processor's thread without work"),
        ("rcu_gp_kthread", "RCU's thread, idle"), ("rcu_gp_fqs_loop", "RCU's thread, waits for a grace period to end"), ("kthreadd", "waits for threads to create"),
        ("do_signal_stop", "stopped by a signal"), ("ptrace_stop", "stopped by its tracer"), ("do_exit", "ends"), ("sys_pause", "waits for a signal"),
        ("do_sigtimedwait", "waits for a signal"), ("inet_csk_accept", "waits for a connection"), ("unix_accept", "waits for a connection"),
        ("__skb_wait_for_more_packets", "waits for data on a socket"), ("unix_stream_read_generic", "waits for data on a socket"),
        ("sk_wait_data", "waits for data on a socket"), ("tcp_recvmsg", "waits for data on a socket"), ("locks_lock_inode_wait", "waits for a file lock"),
        ("fcntl_setlk", "waits for a file lock"), ("rpc_wait_bit_killable", "waits for an answer of an NFS or RPC server"),
        ("nfs_wait_bit_killable", "waits for an NFS server"), ("io_schedule", "waits for input or output"), ("percpu_rwsem_wait", "waits for a per-CPU reader-writer semaphore"),
        ("kswapd", "waits for memory to run short"), ("kcompactd", "waits for memory to be compacted"), ("watchdog", "waits for its next look"),
        ("n_tty_read", "waits for input from a terminal"), ("wait_woken", "waits for input or output"), ("kjournald2", "the journal's thread, idle"),
        ("synchronize_rcu", "waits for an RCU grace period"), ("synchronize_srcu", "waits for an SRCU grace period"),
    ];

    /// <summary>The kind of wait that a function's name stands for; null when it is none that has a record of its own.</summary>
    public static WaitKind? KindOf(string function)
    {
        foreach (var (prefix, kind) in Primitives)
            if (function.StartsWith(prefix, StringComparison.Ordinal))
                return kind;
        var dot = function.IndexOf('.', StringComparison.Ordinal);
        ReadOnlySpan<char> plain = dot < 0 ? function : function.AsSpan(0, dot);
        foreach (var name in Semaphores)
            if (plain.SequenceEqual(name))
                return WaitKind.Semaphore;
        return null;
    }

    /// <summary>What a sleep is, by the functions on the stack, innermost first; null when none of them is known.</summary>
    public static string? Describe(IEnumerable<string> functions)
    {
        foreach (var function in functions)
            foreach (var (name, words) in Sleeps)
                if (Matches(function, name))
                    return words;
        return null;
    }

    // A system call's function has a prefix of its machine; the compiler adds suffixes behind a dot, the kernel ones behind an underscore.
    private static bool Matches(string function, string name) =>
        function.StartsWith(name, StringComparison.Ordinal)
            ? function.Length == name.Length || function[name.Length] == '.' || (name is "futex_wait" && function[name.Length] == '_')
            : name.StartsWith("sys_", StringComparison.Ordinal) && function.EndsWith(name, StringComparison.Ordinal);
}
