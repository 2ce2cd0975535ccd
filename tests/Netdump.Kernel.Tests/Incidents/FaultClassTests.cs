using Netdump.Kernel.Incidents;

namespace Netdump.Kernel.Tests.Incidents;

public class FaultClassTests
{
    [Theory]
    [InlineData(0x0000, "read access by the kernel to a page that is not present")]
    [InlineData(0x0002, "write access by the kernel to a page that is not present")]
    [InlineData(0x0003, "write access by the kernel to a page whose protection forbids it")]
    [InlineData(0x0010, "instruction fetch by the kernel to a page that is not present")]
    [InlineData(0x0011, "instruction fetch by the kernel to a page whose protection forbids it")]
    [InlineData(0x0005, "read access by user mode to a page whose protection forbids it")]
    [InlineData(0x0009, "read access by the kernel to a page whose table has reserved bits set")]
    public void Item50_an_error_code_in_words(ulong code, string words) => Assert.Equal(words, PageFaultError.Words(code));

    [Theory]
    [InlineData(IncidentKind.NullDereference, 0x0UL, 0u, CrashClass.NullDereference)]
    [InlineData(IncidentKind.PageFault, 0xfffUL, 2u, CrashClass.NullDereference)]
    [InlineData(IncidentKind.PageFault, 0x1000UL, 0u, CrashClass.PageFault)] // the page after the first
    [InlineData(IncidentKind.PageFault, 0x286UL, 0x10u, CrashClass.NullJump)]
    [InlineData(IncidentKind.PageFault, 0x286UL, 0x00u, CrashClass.NullDereference)] // no fetch
    [InlineData(IncidentKind.PageFault, 0xdead000000000100UL, 0u, CrashClass.Poison)]
    [InlineData(IncidentKind.PageFault, 0xdead000000000122UL, 0u, CrashClass.Poison)]
    [InlineData(IncidentKind.GeneralProtection, 0xdeae000000000122UL, 0u, CrashClass.GeneralProtection)]
    [InlineData(IncidentKind.GeneralProtection, 0x6b6b6b6b6b6b6b73UL, 0u, CrashClass.Poison)] // a member of a freed object
    [InlineData(IncidentKind.GeneralProtection, 0x6b6b6b6b6b6c7b73UL, 0u, CrashClass.GeneralProtection)]
    [InlineData(IncidentKind.GeneralProtection, 0xaaaaaaaaaaaaaab2UL, 0u, CrashClass.Poison)]
    [InlineData(IncidentKind.PageFault, 0xfffffffffffffff4UL, 0u, CrashClass.ErrorPointer)] // -ENOMEM
    [InlineData(IncidentKind.PageFault, 0xfffffffffffff000UL, 0u, CrashClass.PageFault)] // -4096 is none
    [InlineData(IncidentKind.PageFault, 0x7f1234567000UL, 1u, CrashClass.UserPointer)]
    [InlineData(IncidentKind.PageFault, 0x7f1234567000UL, 0u, CrashClass.PageFault)]
    [InlineData(IncidentKind.PageFault, 0xffffffff81000010UL, 3u, CrashClass.ReadOnlyWrite)]
    [InlineData(IncidentKind.PageFault, 0xffffffff81000010UL, 1u, CrashClass.PageFault)] // a read
    [InlineData(IncidentKind.PageFault, 0xffff888003000010UL, 3u, CrashClass.PageFault)] // the map of all memory
    public void Item51_each_class_of_fault_and_what_comes_near_it(IncidentKind kind, ulong address, uint code, string expected)
    {
        Assert.Equal(expected, FaultClass.Of(new(kind, address, code, 0xffffffffc0200000, [])));
    }

    [Theory]
    [InlineData("rbx", 0x6b6b6b6b6b6b6b6bUL, CrashClass.Poison)]
    [InlineData("rbx", 0x6b6b6b6bUL, CrashClass.GeneralProtection)]
    [InlineData("eflags", 0x6b6b6b6b6b6b6b6bUL, CrashClass.GeneralProtection)] // no pointer
    public void Item51_of_a_general_protection_fault_without_an_address_the_registers_tell(string register, ulong value, string expected) =>
        Assert.Equal(expected, FaultClass.Of(new(IncidentKind.GeneralProtection, null, null, 0xffffffffc0200000, [new(register, value)])));

    [Theory]
    [InlineData("kernel BUG at mm/slub.c:12!", CrashClass.Bug)]
    [InlineData("WARNING: CPU: 1 PID: 2 at mm/slub.c:12 f+0x1/0x2", CrashClass.Warn)]
    [InlineData("divide error: 0000 [#1] SMP", CrashClass.Divide)]
    [InlineData("invalid opcode: 0000 [#1] SMP", CrashClass.InvalidOpcode)]
    [InlineData("PANIC: double fault, error_code: 0x0", CrashClass.DoubleFault)]
    [InlineData("BUG: TASK stack guard page was hit at ffffc900054cfff8 (stack is ffffc900054d0000..ffffc900054d8000)", CrashClass.StackOverflow)]
    [InlineData("Kernel panic - not syncing: corrupted stack end detected inside scheduler", CrashClass.StackOverflow)]
    [InlineData("Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: f+0x1/0x2", CrashClass.StackCorruption)]
    [InlineData("watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [a:1]", CrashClass.SoftLockup)]
    [InlineData("watchdog: Watchdog detected hard LOCKUP on cpu 1", CrashClass.HardLockup)]
    [InlineData("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", CrashClass.RcuStall)]
    [InlineData("INFO: task a:1 blocked for more than 120 seconds.", CrashClass.HungTask)]
    [InlineData("a invoked oom-killer: gfp_mask=0x1, order=0", CrashClass.OutOfMemory)]
    [InlineData("BUG: KASAN: slab-use-after-free in f+0x1/0x2", CrashClass.UseAfterFree)]
    [InlineData("BUG: KASAN: slab-out-of-bounds in f+0x1/0x2", CrashClass.MemoryCheck)]
    [InlineData("WARNING: possible recursive locking detected", CrashClass.Deadlock)]
    [InlineData("Kernel panic - not syncing: Fatal machine check", CrashClass.Hardware)]
    [InlineData("Kernel panic - not syncing: NMI: Not continuing", CrashClass.Nmi)]
    [InlineData("Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b", CrashClass.InitDied)]
    [InlineData("Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)", CrashClass.NoRoot)]
    [InlineData("Kernel panic - not syncing: System is deadlocked on memory", CrashClass.OutOfMemory)]
    [InlineData("Kernel panic - not syncing: softlockup: hung tasks", CrashClass.SoftLockup)] // not the hung-task watchdog's
    [InlineData("Kernel panic - not syncing: hung_task: blocked tasks", CrashClass.HungTask)]
    [InlineData("Kernel panic - not syncing: Hard LOCKUP", CrashClass.HardLockup)]
    [InlineData("Kernel panic - not syncing: RCU Stall", CrashClass.RcuStall)]
    [InlineData("Kernel panic - not syncing: the driver gave up", CrashClass.Panic)]
    public void Item51_each_head_has_its_class(string head, string expected) =>
        Assert.Equal(expected, Assert.Single(LogAnalysis.Of([ConsoleLine.Parse($"[    1.000000] {head}")]).Incidents).Class);

    [Fact]
    public void Where_no_frame_is_left_the_panics_text_without_numbers_and_names_stands_in()
    {
        Assert.Equal("v1|panic|node X lost X at X", CrashSignature.Of(CrashClass.Panic, [], "node 3 lost \"eth0\" at 0xffff").Key);
        Assert.Equal(
            CrashSignature.Of(CrashClass.Panic, [], "watchdog 'a' bit after 10 s").Id, CrashSignature.Of(CrashClass.Panic, [], "watchdog 'b' bit after 25 s").Id);
    }
}
