using Netdump.Client.Host;

namespace Netdump.Client.Tests.Host;

public sealed class TriggersTests : IDisposable
{
    private readonly FakeHost _host = new();

    public TriggersTests()
    {
        foreach (string name in new[] { "panic_on_oops", "softlockup_panic", "hardlockup_panic", "hung_task_panic", "unknown_nmi_panic" }) Set(name, 0);
    }

    private void Set(string name, int value) => _host.Write(Triggers.PathOf(name), $"{value}\n");

    [Theory]
    [InlineData("oops", TriggerSet.Oops)]
    [InlineData("Lockup, nmi", TriggerSet.Lockup | TriggerSet.Nmi)]
    [InlineData("all", TriggerSet.All)]
    [InlineData("all,oops", TriggerSet.All)]
    [InlineData("none", TriggerSet.None)]
    [InlineData("", null)]
    [InlineData("none,oops", null)]
    [InlineData("oops,lockups", null)]
    public void A_list_is_read_and_written(string text, TriggerSet? set)
    {
        Assert.Equal(set, Triggers.Parse(text));
        if (set is { } read) Assert.Equal(read, Triggers.Parse(Triggers.Text(read)));
    }

    [Fact]
    public void A_host_that_would_hang_for_ever_is_told_until_somebody_chose()
    {
        Set("panic_on_oops", 1);
        Check check = Triggers.Examine(_host.Files, TriggerSet.Oops, chosen: false);
        Assert.Equal((CheckLevel.Warn, "nmi"), (check.Level, check.Code));
        Assert.Equal("panic_on_oops=1 softlockup_panic=0 hardlockup_panic=0 hung_task_panic=0 unknown_nmi_panic=0", check.Fact);
        Assert.StartsWith("netdump start --triggers oops,lockup,nmi ", check.Advice);
        Assert.Equal(CheckLevel.Ok, Triggers.Examine(_host.Files, TriggerSet.Oops, chosen: true).Level);
    }

    [Fact]
    public void What_was_asked_for_and_is_off_or_can_never_fire_is_told()
    {
        Assert.Equal("triggers", Triggers.Examine(_host.Files, TriggerSet.Oops, chosen: true).Code);
        Set("hung_task_panic", 3); // a number of tasks on newer kernels
        Assert.Equal(CheckLevel.Ok, Triggers.Examine(_host.Files, TriggerSet.Hung, chosen: true).Level);
        Set("hung_task_timeout_secs", 0);
        Check powerless = Triggers.Examine(_host.Files, TriggerSet.Hung, chosen: true);
        Assert.Equal(("triggers", "sysctl kernel.hung_task_timeout_secs=120"), (powerless.Code, powerless.Advice));
    }

    [Fact]
    public void Settings_that_a_kernel_lacks_are_left_out_and_a_trigger_without_any_is_missing()
    {
        File.Delete(_host.Files.Map(Triggers.PathOf("hardlockup_panic")));
        File.Delete(_host.Files.Map(Triggers.PathOf("unknown_nmi_panic")));
        Assert.Equal(["softlockup_panic"], Triggers.Settings(_host.Files, TriggerSet.Lockup));
        Assert.Equal(TriggerSet.Nmi, Triggers.Missing(_host.Files, TriggerSet.All));
    }

    public void Dispose() => _host.Dispose();
}
