using Netdump.Kernel.Types;

namespace Netdump.Kernel.Tasks;

/// <summary>Where the members of struct task_struct lie that a list of tasks reads: all looked up once, by the names of every kernel from 5.10 on.</summary>
internal sealed class TaskLayout(KernelTypes? types)
{
    private const string Task = "task_struct";

    public Field Comm { get; } = Field.Of(types, Task, "comm");
    public Field Pid { get; } = Field.Of(types, Task, "pid");
    public Field Tgid { get; } = Field.Of(types, Task, "tgid");
    public Field State { get; } = Field.Of(types, Task, "__state", "state");
    public Field ExitState { get; } = Field.Of(types, Task, "exit_state");
    public Field Flags { get; } = Field.Of(types, Task, "flags");
    public Field Processor { get; } = Field.Of(types, Task, "thread_info.cpu", "cpu");
    public Field OnProcessor { get; } = Field.Of(types, Task, "on_cpu");
    public Field ThreadFlags { get; } = Field.Of(types, Task, "thread_info.flags");
    public Field Stack { get; } = Field.Of(types, Task, "stack");
    public Field StackPointer { get; } = Field.Of(types, Task, "thread.sp", "thread.cpu_context.sp");
    public Field Parent { get; } = Field.Of(types, Task, "parent");
    public Field RealParent { get; } = Field.Of(types, Task, "real_parent");
    public Field GroupLeader { get; } = Field.Of(types, Task, "group_leader");
    public Field Signal { get; } = Field.Of(types, Task, "signal");
    public Field Tasks { get; } = Field.Of(types, Task, "tasks");
    public Field ThreadNode { get; } = Field.Of(types, Task, "thread_node");
    public Field ThreadHead { get; } = Field.Of(types, "signal_struct", "thread_head");
    public Field ThreadPid { get; } = Field.Of(types, Task, "thread_pid");
    public Field Mm { get; } = Field.Of(types, Task, "mm");
    public Field ActiveMm { get; } = Field.Of(types, Task, "active_mm");
    public Field Files { get; } = Field.Of(types, Task, "files");
    public Field Credentials { get; } = Field.Of(types, Task, "cred");
    public Field UserId { get; } = Field.Of(types, "cred", "uid.val", "uid");
    public Field GroupId { get; } = Field.Of(types, "cred", "gid.val", "gid");
    public Field EffectiveUserId { get; } = Field.Of(types, "cred", "euid.val", "euid");
    public Field UserTime { get; } = Field.Of(types, Task, "utime");
    public Field SystemTime { get; } = Field.Of(types, Task, "stime");
    public Field StartTime { get; } = Field.Of(types, Task, "start_time");
    public Field StartBootTime { get; } = Field.Of(types, Task, "start_boottime", "real_start_time");
    public Field RunTime { get; } = Field.Of(types, Task, "se.sum_exec_runtime");
    public Field ExecutionStart { get; } = Field.Of(types, Task, "se.exec_start");
    public Field LastArrival { get; } = Field.Of(types, Task, "sched_info.last_arrival");
    public Field RunDelay { get; } = Field.Of(types, Task, "sched_info.run_delay");
    public Field RunCount { get; } = Field.Of(types, Task, "sched_info.pcount");
    public Field VoluntarySwitches { get; } = Field.Of(types, Task, "nvcsw");
    public Field InvoluntarySwitches { get; } = Field.Of(types, Task, "nivcsw");
    public Field InIoWait { get; } = Field.Of(types, Task, "in_iowait");
    public Field Priority { get; } = Field.Of(types, Task, "prio");
    public Field StaticPriority { get; } = Field.Of(types, Task, "static_prio");
    public Field Policy { get; } = Field.Of(types, Task, "policy");
    public Field BlockedOn { get; } = Field.Of(types, Task, "blocked_on");
    public Field Blocker { get; } = Field.Of(types, Task, "blocker");
    public Field GroupNode { get; } = Field.Of(types, Task, "se.group_node");
    public Field RtRunList { get; } = Field.Of(types, Task, "rt.run_list");
    public Field RssStat { get; } = Field.Of(types, Task, "rss_stat.count");

    /// <summary>Where a kernel thread's struct kthread is kept: from 5.17 on in a member of its own.</summary>
    public Field Kthread { get; } = Field.Of(types, Task, "worker_private", "set_child_tid");
    public Field KthreadFullName { get; } = Field.Of(types, "kthread", "full_name");
    public Field KthreadData { get; } = Field.Of(types, "kthread", "data");
    public Field WorkerFunction { get; } = Field.Of(types, "worker", "current_func");
    public Field WorkerLastFunction { get; } = Field.Of(types, "worker", "last_func");
    public Field WorkerDescription { get; } = Field.Of(types, "worker", "desc");
    public Field WorkerWork { get; } = Field.Of(types, "worker", "current_work");
    public Field WorkerTask { get; } = Field.Of(types, "worker", "task");

    /// <summary>What a list cannot do without: the first member that is missing, or null.</summary>
    public string? Missing =>
        !Comm.Exists ? "comm" : !Pid.Exists ? "pid" : !State.Exists ? "__state" : !ExitState.Exists ? "exit_state" : !Flags.Exists ? "flags"
        : !Tasks.Exists ? "tasks" : null;
}
