namespace Netdump.Kernel.Incidents;

/// <summary>A frame as a signature sees it, from a log's call trace or from a walk of the dump's memory.</summary>
/// <param name="Name">The function, with or without the compiler's suffixes; empty when unknown.</param>
/// <param name="Module">The module, or null for the kernel itself.</param>
/// <param name="IsReliable">False for an address that merely lay on the stack.</param>
/// <param name="IsRegisters">Whether an exception or interrupt came here.</param>
public readonly record struct SignatureFrame(string Name, string? Module, bool IsReliable, bool IsRegisters = false);

/// <summary>Names as version 1 of the signature writes and drops them.</summary>
public static class SignatureNames
{
    private static readonly string[] EntryPrefixes = ["__x64_sys_", "__ia32_sys_", "__arm64_sys_", "__se_sys_", "__do_sys_", "SyS_", "SYSC_"];

    private static readonly string[] CompatPrefixes =
        ["__x64_compat_sys_", "__ia32_compat_sys_", "__arm64_compat_sys_", "__se_compat_sys_", "__do_compat_sys_", "compat_SyS_", "compat_SYSC_", "compat_sys_"];

    /// <summary>The function's name without what the compiler and the system-call macros add.</summary>
    public static string Normalise(string name)
    {
        int bracket = name.IndexOf(" [", StringComparison.Ordinal);
        if (bracket > 0)
            name = name[..bracket];
        int plus = name.IndexOf('+');
        if (plus > 0)
            name = name[..plus];
        while (TryStripSuffix(ref name))
        {
        }
        if (name.StartsWith("__pfx_", StringComparison.Ordinal))
            name = name["__pfx_".Length..];
        foreach (string prefix in (ReadOnlySpan<string>)[.. EntryPrefixes, .. CompatPrefixes])
        {
            if (name.Length > prefix.Length && name.StartsWith(prefix, StringComparison.Ordinal))
                return string.Concat("sys_", name.AsSpan(prefix.Length));
        }
        return name;
    }

    private static bool TryStripSuffix(ref string name)
    {
        int dot = name.LastIndexOf('.');
        if (dot <= 0)
            return false;
        ReadOnlySpan<char> last = name.AsSpan(dot + 1);
        if (last is "cold" or "localalias")
        {
            name = name[..dot];
            return true;
        }
        if (last.IsEmpty || !Text.IsAllHex(last))
            return false;
        bool digits = last.IndexOfAnyExceptInRange('0', '9') < 0;
        int before = name.LastIndexOf('.', dot - 1);
        if (before > 0 && name.AsSpan(before + 1, dot - before - 1) is { } tag
            && (tag is "llvm" || (digits && tag is "cold" or "isra" or "part" or "constprop" or "lto_priv")))
        {
            name = name[..before];
            return true;
        }
        if (!digits)
            return false;
        name = name[..dot];
        return true;
    }

    private static readonly NameWords PanicPath = new("""
        ^panic$ ^vpanic$ ^nmi_panic$ ^nmi_panic_self_stop$ ^crash_kexec$ ^__crash_kexec$ ^machine_kexec$ ^crash_setup_regs$ ^die$ ^die_addr$ ^__die$ ^__die_body$
        ^oops_end$ ^oops_begin$ ^show_regs$ ^dump_stack$ ^dump_stack_lvl$ ^dump_backtrace$ ^show_stack$ ^page_fault_oops$ ^no_context$ ^bad_area
        ^__bad_area ^kernelmode_fixup_or_oops$ ^do_user_addr_fault$ ^do_kern_addr_fault$ ^exc_ ^asm_exc_ ^do_error_trap$ ^do_trap$ ^do_invalid_op$
        ^invalid_op$ ^page_fault$ ^do_page_fault$ ^__do_page_fault$ ^async_page_fault$ ^error_entry$ ^general_protection$ ^do_general_protection$
        ^handle_bug$ ^fixup_bug$ ^report_bug$ ^__report_bug$ ^__warn$ ^warn_slowpath_ ^__warn_printk$ ^__WARN_trap$ ^kasan_ ^__kasan_ ^__asan_
        ^check_memory_region$ ^print_report$ ^print_address_description$ ^ubsan_ ^__ubsan_ ^__stack_chk_fail$ ^fortify_panic$ ^__fortify_report$
        ^usercopy_abort$ ^__check_object_size$ ^watchdog_timer_fn$ ^watchdog_overflow_callback$ ^watchdog_hardlockup_check$ ^nmi_ ^rcu_sched_clock_irq$
        ^check_hung_uninterruptible_tasks$ ^watchdog$ ^dump_header$ ^out_of_memory$ ^oom_kill_process$ ^mem_cgroup_out_of_memory$ ^pagefault_out_of_memory$
        ^__alloc_pages_may_oom$ ^warn_alloc$ ^__check_heap_object$ ^check_panic_on_warn$ ^do_divide_error$ ^divide_error$ ^double_fault$ ^do_double_fault$
        ^die_kernel_fault$ ^__do_kernel_fault$ ^do_translation_fault$ ^do_mem_abort$ ^el1_abort$ ^el1h_64_sync ^el1_da$ ^do_bad_area$ ^bug_handler$
        ^do_tag_check_fault$ ^el1_sync ^__sanitizer_cov ^write_comp_data$ ^__hwasan ^__msan ^kmsan_ ^__tsan ^kcsan_ ^check_preemption_disabled$
        ^debug_smp_processor_id$ ^__this_cpu_preempt_check$ ^__schedule_bug$ ^print_unlock_imbalance_bug$ ^print_circular_bug ^print_usage_bug ^print_deadlock_bug
        ^check_noncircular$ ^validate_chain ^mark_lock ^register_lock_class$ ^look_up_lock_class$ ^check_prev_add ^check_irq_usage$ ^check_usage ^mark_held_locks$ ^brk_handler$ ^call_break_hook$ ^do_debug_exception$ ^el1_dbg$ ^el1_brk64$ ^do_el1_brk64$ ^arm64_notify_die$ ^arm64_serror_panic$
        """);

    private static readonly NameWords Helpers = new("""
        ^memcpy ^memmove ^memset ^memcmp ^memchr ^memscan ^memzero ^memcat ^__memcpy ^__memmove ^__memset ^__memcmp ^strlen ^strnlen ^strcmp ^strncmp
        ^strcpy ^strncpy ^strlcpy ^strscpy ^strcat ^strncat ^strlcat ^strchr ^strnchr ^strrchr ^strstr ^strnstr ^strsep ^strspn ^strcspn ^strpbrk ^strim$ ^strdup
        ^strndup ^strcase ^strncase ^__strlen ^__strncpy ^__strcpy ^sized_strscpy ^copy_from_user ^copy_to_user ^copy_user ^_copy_from_user ^_copy_to_user ^__copy_user ^copy_from_kernel ^raw_copy_
        ^_inline_copy ^rep_movs ^rep_stos ^copy_mc ^_copy_to_iter ^_copy_from_iter ^copy_to_iter ^copy_from_iter ^copy_page_to_iter ^copy_page_from_iter ^simple_copy_to_iter$
        ^get_user ^put_user ^clear_user ^__get_user ^__put_user ^__clear_user ^csum_ ^list_ ^__list_ ^hlist_
        ^llist_ ^klist_ ^rb_ ^__rb_ ^xas_ ^xa_ ^__xa_ ^idr_ ^radix_tree_ ^__radix_tree_ ^bitmap_ ^__bitmap_ ^find_next_ ^find_first_ ^_find_ ^set_bit ^clear_bit
        ^test_bit ^__set_bit ^__clear_bit ^test_and_ ^atomic_ ^atomic64_ ^refcount_ ^kref_ ^ref_tracker_ ^percpu_ ^raw_spin_ ^_raw_ ^do_raw_ ^spin_ ^read_lock
        ^read_unlock ^write_lock ^write_unlock ^queued_ ^native_queued_ ^__pv_queued_ ^pv_queued_ ^kvm_wait$ ^osq_ ^mutex_ ^__mutex_ ^down$ ^down_ ^up$ ^up_
        ^__down ^__up ^rwsem_ alloc ^kfree ^kvfree ^vfree ^__vunmap$ ^vunmap ^kmem_cache_ ^slab_ ^___slab_ ^__slab_ ^new_slab$ ^memdup_user ^kmemdup printf
        ^printk ^_printk ^vprintk ^dev_err ^_dev_err ^dev_warn ^_dev_warn ^_dev_info ^_dev_printk ^dev_printk ^debug_object_ ^__debug_object_
        ^debug_print_object$ ^debug_check_ ^__debug_check_ ^call_rcu ^__call_rcu ^kvfree_call_rcu ^synchronize_ ^rcu_barrier ^wake_up ^__wake_up
        ^try_to_wake_up$ ^wait_for_completion ^__wait_for_common$ ^complete$ ^complete_all$ ^add_timer ^mod_timer ^__mod_timer ^del_timer ^timer_delete ^timer_is_static_object$ ^work_is_static_object$
        ^__timer_delete ^hrtimer_ ^__hrtimer_ ^tick_ ^queue_work ^__queue_work ^queue_delayed_work ^__queue_delayed_work ^mod_delayed_work ^flush_work
        ^__flush_work ^flush_workqueue ^__flush_workqueue ^cancel_work ^__cancel_work ^cancel_delayed_work ^drain_workqueue ^destroy_workqueue ^kthread_stop$
        ^notifier_call_chain$ ^atomic_notifier_ ^blocking_notifier_ ^raw_notifier_ ^srcu_notifier_ ^__atomic_notifier ^skb_panic$ ^skb_put$ ^skb_push$
        ^skb_over_panic$ ^skb_under_panic$ ^kobject_ ^kset_ ^device_add ^device_del ^device_register ^device_unregister ^device_destroy ^device_remove_file ^sysfs_
        ^__sysfs_ ^kernfs_ ^__kernfs_ ^devres_ ^usb_submit_urb ^usb_kill_ ^usb_control_ ^usb_start_wait_urb ^usb_hcd_submit_urb ^unregister_netdevice
        ^rollback_registered ^iput$ ^dput$ ^folio_lock ^folio_unlock ^__folio_lock ^lock_page ^unlock_page ^mark_buffer_dirty$ ^drop_nlink$ ^assertfail$
        ^__x86_indirect_thunk ^__warn_thunk$ ^lock_acquire ^lock_release ^__lock_acquire ^lockdep_ ^lock_is_held_type$ ^might_fault$ ^__might_fault$
        ^__might_sleep$ ^__might_resched$ ^___might_sleep$
        ^__schedule$ ^schedule$ ^preempt_schedule ^_cond_resched$ ^__cond_resched$ ^retint_kernel$ ^trace_hardirqs_ ^string$ ^string_nocheck$ ^format_decode$
        ^_atomic_dec_and_lock ^__local_bh_ ^finish_wait$ ^prepare_to_wait
        """);

    private static readonly NameWords Stops = new("""
        ^do_syscall_64$ ^do_syscall_x64$ ^x64_sys_call$ ^entry_SYSCALL ^entry_SYSENTER ^do_fast_syscall_32$ ^do_int80_syscall_32$ ^ret_from_fork ^kthread$ ^worker_thread$
        ^process_one_work$ ^process_scheduled_works$ ^handle_softirqs ^__do_softirq$ ^____do_softirq$ ^do_softirq ^call_timer_fn$ ^__run_timers ^run_timer_softirq$
        ^irq_exit_rcu$ ^__irq_exit_rcu$ ^irq_exit$ ^sysvec_ ^asm_ ^common_interrupt$ ^handle_irq_event ^do_idle$ ^cpu_startup_entry$ ^start_secondary$
        ^secondary_startup_64 ^common_startup_64$ ^start_kernel$ ^x86_64_start_ ^invoke_syscall ^el0_svc ^do_el0_svc$ ^el0t_64_sync ^el1h_64_irq ^el1_interrupt$
        ^el0_interrupt$ ^call_on_irq_stack$ ^do_interrupt_handler$ ^smp_apic_timer_interrupt$ ^apic_timer_interrupt$ ^do_IRQ$ ^ret_fast_syscall$
        ^secondary_start_kernel$ ^__secondary_switched$ ^smpboot_thread_fn$ ^run_ksoftirqd$
        """);

    /// <summary>Whether the frame only reports the crash.</summary>
    public static bool IsPanicPath(string name) => PanicPath.Match(name);

    /// <summary>Whether the frame only conveys a fault: a copy, a list, a lock.</summary>
    public static bool IsHelper(string name) => Helpers.Match(name);

    /// <summary>Whether the frame, and all outside it, is the way into the kernel.</summary>
    public static bool IsStop(string name) => Stops.Match(name);

    /// <summary>Whether a hung task's frame merely waits.</summary>
    public static bool IsWait(string name)
    {
        if (name is "context_switch" or "__switch_to" or "__switch_to_asm")
            return true;
        foreach (string word in (ReadOnlySpan<string>)["sched", "lock", "wait", "completion", "down"])
        {
            for (int at = name.IndexOf(word, StringComparison.Ordinal); at >= 0; at = name.IndexOf(word, at + 1, StringComparison.Ordinal))
            {
                if (!IsPartOfOther(name, word, at))
                    return true;
            }
        }
        return false;
    }

    // block, clock and lockup are no locks; shutdown and countdown are no down().
    private static bool IsPartOfOther(string name, string word, int at) => word switch
    {
        "lock" => (at > 0 && name[at - 1] is 'b' or 'c') || name.AsSpan(at).StartsWith("lockup"),
        "down" => at > 0 && char.IsAsciiLetterLower(name[at - 1]),
        _ => false,
    };
}
