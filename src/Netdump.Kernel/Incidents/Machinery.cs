namespace Netdump.Kernel.Incidents;

/// <summary>Functions that are never the culprit of a report's title: what reports, allocates, locks, copies and counts.</summary>
internal static class Machinery
{
    private static readonly NameWords Words = new("""
        __sanitizer __asan kasan hwasan __msan kmsan kcsan_setup_watchpoint check_memory_region check_heap_object check_object read_word_at_a_time
        print_address_description print_report
        panic invalid_op report_bug fixup_bug print_usage_bug do_error _trap$ do_trap show_stack dump_stack walk_stack dump_backtrace warn_slowpath
        warn_alloc warn_bogus __warn printk va_format dev_info dev_notice dev_warn dev_err dev_alert dev_crit dev_emerg print_tainted ^get_taint$
        assertfail __fortify_report hex_dump_to_buffer print_hex_dump stack_trace_consume_entry arch_stack_walk stack_trace_save
        program_check_exception program_check_common
        alloc_page malloc zalloc calloc krealloc kmem_cache allocate_slab __alloc_frozen_pages_noprof folio_alloc folio_unlock filemap_alloc_folio
        __filemap_get_folio find_or_create_page do_read_cache_folio read_cache_page pagecache_get_page grab_cache_page_write_begin slab_ ^kfree$
        ^kvfree$ kfree_skb ida_free find_lock_entries truncate_inode_pages_range mark_buffer_dirty ^lock_page ^unlock_page
        debug_object timer_is_static_object work_is_static_object print_unlock imbalance_bug lockdep lock_acquire lock_release lock_class mark_lock
        reacquire_held_locks mark_held_locks trace_hardirq trace_softirq lockdep_hardirq lockdep_softirq perf_trace bh_enable bh_disable
        raw_spin_rq spin_lock spin_trylock spin_unlock read_lock read_trylock read_unlock write_lock write_trylock write_unlock ^down$ down_read
        down_write down_trylock up_read up_write ^mutex_ ^__mutex_ ^rt_mutex_ owner_on_cpu osq_lock osq_unlock __wake_up ^complete$
        wait_for_completion finish_wait kthread_stop might_sleep __might_resched might_fault
        set_bit clear_bit change_bit test_bit ^refcount_ ^kref_ ref_tracker seqprop_assert
        memcpy memcmp memset memchr memmove memdup strcmp strncmp strcpy strlcpy strncpy strscpy strlen strstr strnstr strnlen strchr strdup strndup
        string pointer snprintf scnprintf kasprintf kvasprintf copy_to_user copy_from_user copy_to_iter copy_from_iter copy_page_to_iter
        copy_folio_to_iter copy_page_from_iter ^copyin$ ^copyout$ put_user get_user extract_user_to_sg extract_iter_to_sg crc_itu_t
        list_add list_del list_replace list_move list_splice ^rb_ ^__rb_ ^klist_ xas_start xas_load xas_find rhashtable_lookup
        del_timer __timer_delete_sync sk_stop_timer_sync __mod_timer lock_timer_base flush_work __cancel_work_timer cancel_work_sync
        try_to_grab_pending flush_workqueue drain_workqueue destroy_workqueue queue_work insert_work __queue_delayed_work queue_delayed_work_on
        cleanup_srcu_struct
        kobject_ add_uevent_var get_device_parent device_add device_del device_unregister device_destroy device_release devres_release_all
        hwrng_unregister i2c_del_adapter __unregister_client device_for_each_child rollback_registered unregister_netdev sysfs_remove
        device_remove_file tty_unregister_device ^put_device$ dummy_urb_enqueue usb_kill_urb usb_kill_anchored_urbs usb_control_msg
        usb_hcd_submit_urb usb_submit_urb
        readb$ readw$ readl$ readq$ writeb$ writew$ writel$ writeq$ logic_in logic_out __phys_addr
        ^iput$ ^iput_final$ ^ihold$ drop_nlink fast_dput dput
        do_kernel_fault do_translation_fault do_tag_check_fault el1_sync do_mem_abort el1_abort el1h_64_sync _indirect_thunk_
        """);

    private static readonly string[] Counters = ["dec", "inc", "read", "set", "or", "xor", "and", "add", "sub", "fetch", "xchg", "cmpxchg", "try"];

    /// <summary>Whether the function is never the culprit.</summary>
    public static bool Match(ReadOnlySpan<char> name) => Words.Match(name) || IsAtomic(name) || IsUnchecked(name) || IsCheckSum(name);

    // atomic_inc, atomic64_try_cmpxchg and kin
    private static bool IsAtomic(ReadOnlySpan<char> name)
    {
        for (ReadOnlySpan<char> rest = Text.After(name, "atomic"); !rest.IsEmpty; rest = Text.After(rest, "atomic"))
        {
            ReadOnlySpan<char> operation = rest.StartsWith("64") ? rest[2..] : rest;
            if (operation is not ['_', ..])
                continue;
            foreach (string counter in Counters)
            {
                if (operation[1..].StartsWith(counter, StringComparison.Ordinal))
                    return true;
            }
        }
        return false;
    }

    private static bool IsUnchecked(ReadOnlySpan<char> name) =>
        Text.After(name, "read_once_").Contains("nocheck", StringComparison.Ordinal)
        || Text.After(name, "write_once_").Contains("nocheck", StringComparison.Ordinal);

    private static bool IsCheckSum(ReadOnlySpan<char> name) => name.StartsWith("crc") && name.Length > 3 && char.IsAsciiDigit(name[3]);

    private static readonly NameWords Anchors = new("""
        process_one_work do_syscall_ do_fast_syscall_ sysenter_dispatch tracesys_phase2 el0_svc_handler invoke_syscall ret_fast_syscall
        netif_receive_skb do_softirq call_timer_fn _run_timers run_timer_softirq hrtimer_run run_ksoftirqd smpboot_thread_fn ^kthread$
        start_secondary cpu_startup_entry ret_from_fork vfs_read vfs_write vfs_iter_read vfs_iter_write vfs_ioctl vfs_open do_iter_read do_iter_write
        call_read_iter call_write_iter new_sync_read new_sync_write ksys_ioctl compat_ioctl compat_sys_ioctl blkdev_ioctl blkdev_driver_ioctl
        do_iter_readv_writev ^call_mmap mmap_region do_mmap do_dentry_open ^sock_sendmsg ^sock_recvmsg ^sock_release ^__sock_release ^sock_mmap
        ^sock_do_ioctl ^sock_ioctl ^compat_sock_ioctl ^setsockopt$ kernel_setsockopt sock_common_setsockopt ^listen$ ^accept$ kernel_listen
        kernel_accept sk_common_release ^nfnetlink_rcv_msg ^rtnetlink_rcv_msg ^netlink_dump ^socketpair ^connect ^ioctl ^sys_socketpair ^sys_connect
        ^sys_ioctl __do_fault do_page_fault ^page_fault$ __fput task_work_run exit_to_usermode smp_call_function tasklet_action tasklet_hi_action
        """);

    /// <summary>Whether what stands above this function is what a stall is named after.</summary>
    public static bool IsStallAnchor(ReadOnlySpan<char> name) => Anchors.Match(name);

    private static readonly string[] SyscallPrefixes =
    [
        "SYSC_", "SyS_", "sys_", "__x64_", "__ia32_", "__arm64_", "____sys_", "___sys_", "__sys_", "__se_", "__se_sys_", "__do_sys_", "compat_SYSC_",
        "compat_SyS_", "ksys_",
    ];

    /// <summary>The name without the prefix of a system call's entry, the one that leaves the shortest name.</summary>
    public static string StripSyscall(string name)
    {
        string shortest = name;
        foreach (string prefix in SyscallPrefixes)
        {
            if (name.Length > prefix.Length && name.StartsWith(prefix, StringComparison.Ordinal) && name.Length - prefix.Length < shortest.Length)
                shortest = name[prefix.Length..];
        }
        return shortest;
    }
}
