using Netdump.Vmcore;

namespace Netdump.EndToEnd;

/// <summary>Issue 6, proof 2: causes of a crash made for real, and what the analysis says of each.</summary>
public sealed class CrashCauseTests(CrashedGuests guests)
{
    public static TheoryData<string, string> Causes => [.. CrashCause.All.Select(cause => (cause.Series, cause.Name))];

    [Theory]
    [MemberData(nameof(Causes))]
    public void Each_cause_leaves_a_whole_dump_and_a_log_that_names_it(string series, string name)
    {
        CrashCause cause = CrashCause.Of(series, name);
        CrashedGuest guest = guests.Of(cause);
        string log = KernelCrashTests.AssertLog(guest.Console, guest.Crash, cause.Says);
        Assert.Contains(cause.Function, log, StringComparison.Ordinal);
        using VmcoreFile stored = VmcoreFile.Open(guest.Vmcore);
        Assert.True(stored.IsComplete);
        Assert.Equal(cause.Level == 0, stored.Kdump is null);
    }

    [Fact]
    public void Another_boot_puts_the_kernel_elsewhere()
    {
        CrashCause cause = CrashCause.Of("6.12", "null");
        Assert.NotEqual(CrashedGuests.KernelOffset(guests.Of(cause)), CrashedGuests.KernelOffset(guests.Again(cause)));
    }
}
