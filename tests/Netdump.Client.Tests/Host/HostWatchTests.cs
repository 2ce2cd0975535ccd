using Netdump.Client.Host;
using Netdump.Client.Tests.Linux;

namespace Netdump.Client.Tests.Host;

/// <summary>Item 6 of netconsole's checklist and the rest of <c>netdump watch</c>: what changes behind the host's back is repaired, and told once.</summary>
public sealed class HostWatchTests
{
    private const string Target = NetConsoleTarget.Root + "/netdump";

    private readonly List<Check> _told = [];

    private HostWatch Watch(ArmableHost host, bool armsFirst = false) =>
        new(host.Files, () => host.Configuration, c => host.Arm(c), (path, netlink) => path.FindNextHop(netlink, TimeSpan.FromMilliseconds(200)), _told.Add) { ArmsFirst = armsFirst };

    private string[] Facts => [.. _told.Select(c => c.Fact)];

    private static void Armed(Action<ArmableHost> test) => NetworkNamespace.Run(netlink =>
    {
        using var host = new ArmableHost(netlink);
        host.Arm();
        test(host);
    });

    [Fact]
    public void A_host_as_it_should_be_is_no_news_and_is_not_touched() => Armed(host =>
    {
        HostWatch watch = Watch(host);
        for (int i = 0; i < 3; i++) watch.Look();
        Assert.Empty(_told);
        Assert.Equal(1, host.Loads);
    });

    [Fact]
    public void Item_6_a_target_that_was_switched_off_is_repaired_and_told_once_even_when_it_is_lost_again_and_again() => Armed(host =>
    {
        HostWatch watch = Watch(host);
        for (int i = 0; i < 3; i++)
        {
            host.Fake.Write($"{Target}/enabled", "0\n");
            watch.Look();
            Assert.Equal("1", host.Files.Read($"{Target}/enabled"));
        }
        Assert.Equal("target netdump was switched off: repaired, lines go from east to 10.79.0.9:6666 (02:00:00:00:00:09)", Assert.Single(Facts));
        watch.Look(); // all is well
        host.Files.RemoveDirectory(Target);
        watch.Look();
        Assert.Equal(2, _told.Count);
        Assert.StartsWith("target netdump was gone: repaired", Facts[1]);
    });

    [Fact]
    public void Item_6_another_hardware_address_of_the_next_hop_is_written_into_the_target() => Armed(host =>
    {
        HostWatch watch = Watch(host);
        watch.Look();
        host.SetNextHop("02:00:00:00:00:aa");
        watch.Look();
        watch.Look();
        Assert.Equal("02:00:00:00:00:aa", host.Files.Read($"{Target}/remote_mac"));
        Assert.StartsWith("the next hop's hardware address is 02:00:00:00:00:aa now (was 02:00:00:00:00:09): repaired", Assert.Single(Facts));
    });

    [Fact]
    public void Lines_for_every_station_are_for_the_server_alone_as_soon_as_it_answers() => NetworkNamespace.Run(netlink =>
    {
        using var host = new ArmableHost(netlink);
        NetworkNamespace.Ip($"neigh del {ArmableHost.Server} dev east");
        host.Arm();
        Assert.Equal(ConsolePlan.EveryStation, host.Files.Read($"{Target}/remote_mac"));
        HostWatch watch = Watch(host);
        watch.Look();
        watch.Look();
        Assert.Equal("the next hop to 10.79.0.9:6666 does not answer", Assert.Single(Facts));
        host.SetNextHop(ArmableHost.Mac);
        watch.Look();
        Assert.Equal(ArmableHost.Mac, host.Files.Read($"{Target}/remote_mac"));
        Assert.Equal(2, _told.Count);
    });

    [Fact]
    public void A_target_that_cannot_be_repaired_is_told_once_and_again_when_it_is_over() => Armed(host =>
    {
        HostWatch watch = Watch(host);
        NetworkNamespace.Ip("address flush dev east");
        for (int i = 0; i < 3; i++) watch.Look();
        Assert.Equal(2, _told.Count); // the image's way, and the console's
        Assert.All(_told, c => Assert.Equal((CheckLevel.Warn, true), (c.Level, c.Fact.StartsWith("no route to server", StringComparison.Ordinal))));
        Assert.Equal(1, host.Loads); // an image that knows the way as it was is better than none
        NetworkNamespace.Ip($"address add {ArmableHost.Own}/24 dev east");
        host.SetNextHop(ArmableHost.Mac);
        watch.Look();
        Assert.Equal(4, _told.Count);
        Assert.All(_told[2..], c => Assert.StartsWith("over: no route", c.Fact));
    });

    [Fact]
    public void A_stale_image_is_replaced_when_what_changed_has_settled() => Armed(host =>
    {
        HostWatch watch = Watch(host);
        void NewKernel(string text) => host.Fake.Write($"/boot/vmlinuz-{host.Release}", text);
        NewKernel("half of a new kernel");
        watch.Look();
        NewKernel("a new kernel");
        watch.Look();
        Assert.Equal(1, host.Loads); // it differs from what the look before saw
        watch.Look();
        watch.Look();
        Assert.Equal(2, host.Loads);
        Assert.Matches("^[0-9a-f]{6} is not what start would build now: kernel changed: armed anew$", Assert.Single(Facts));
        Assert.Empty(ArmedState.Read(host.Files)!.Image!.ChangesTo(ArmingPlan.FingerprintNow(host.Files, host.Configuration, host.Netlink)));
    });

    [Fact]
    public void Triggers_of_the_command_line_stay_when_the_watch_arms_anew() => NetworkNamespace.Run(netlink =>
    {
        using var host = new ArmableHost(netlink);
        host.Arm(new ArmingOptions(Triggers: TriggerSet.Oops | TriggerSet.Hung));
        host.Configure($"NETDUMPADDR={ArmableHost.Server}\nTRIGGERS=oops\nGIVEUP_SECONDS=60\n");
        HostWatch watch = Watch(host);
        watch.Look();
        watch.Look();
        Assert.Equal(2, host.Loads);
        Assert.Equal("1", host.Files.Read(Triggers.PathOf("hung_task_panic")));
        host.Disarm();
        Assert.Equal("0", host.Files.Read(Triggers.PathOf("hung_task_panic")));
    });

    [Fact]
    public void A_stale_image_that_must_not_be_replaced_is_told() => Armed(host =>
    {
        host.Fake.Write("/proc/sys/kernel/kexec_load_disabled", "1\n");
        host.Fake.Write($"/boot/vmlinuz-{host.Release}", "a new kernel");
        HostWatch watch = Watch(host);
        for (int i = 0; i < 3; i++) watch.Look();
        Assert.Contains("kexec_load_disabled=1 forbids to replace it", Assert.Single(Facts));
        Assert.Equal(1, host.Loads);
    });

    [Fact]
    public void A_crash_kernel_that_somebody_unloaded_is_loaded_again_and_a_refusal_told_once() => Armed(host =>
    {
        HostWatch watch = Watch(host);
        host.Fake.Write(ArmableHost.Loaded, "0\n");
        host.Refusal = new ClientException("the kernel refused", "see dmesg");
        for (int i = 0; i < 3; i++) watch.Look();
        Check refused = Assert.Single(_told);
        Assert.Equal((CheckLevel.Fail, "our crash kernel was unloaded by somebody, and it could not be armed: the kernel refused"), (refused.Level, refused.Fact));
    });

    [Fact]
    public void An_unloaded_crash_kernel_comes_back() => Armed(host =>
    {
        HostWatch watch = Watch(host);
        host.Fake.Write(ArmableHost.Loaded, "0\n");
        watch.Look();
        watch.Look();
        Assert.Equal(("our crash kernel was unloaded by somebody: loaded again", "1"), (Assert.Single(Facts), host.Files.Read(ArmableHost.Loaded)));
    });

    [Fact]
    public void A_trigger_that_somebody_switched_off_is_told_and_left_alone() => Armed(host =>
    {
        HostWatch watch = Watch(host);
        host.Fake.Write(Triggers.PathOf("panic_on_oops"), "0\n");
        for (int i = 0; i < 2; i++) watch.Look();
        Assert.Equal("triggers", Assert.Single(_told).Code);
        Assert.Equal("0", host.Files.Read(Triggers.PathOf("panic_on_oops")));
    });

    [Fact]
    public void Two_troubles_of_one_target_one_after_the_other_are_two() => Armed(host =>
    {
        HostWatch watch = Watch(host);
        host.Fake.Write($"{Target}/enabled", "0\n");
        watch.Look();
        host.SetNextHop("02:00:00:00:00:aa");
        watch.Look();
        Assert.Equal(2, _told.Count);
    });

    [Fact]
    public void A_host_that_an_operator_disarmed_stays_disarmed_and_a_broken_configuration_costs_nothing() => Armed(host =>
    {
        HostWatch watch = Watch(host, armsFirst: true);
        watch.Look();
        host.Configure("NETDUMPADR=x\n");
        for (int i = 0; i < 2; i++) watch.Look();
        Assert.Equal("bad-config", Assert.Single(_told).Code);
        host.Configure($"NETDUMPADDR={ArmableHost.Server}\nTRIGGERS=oops\n");
        host.Disarm();
        for (int i = 0; i < 2; i++) watch.Look();
        Assert.Equal("0", host.Files.Read(ArmableHost.Loaded));
        Assert.Equal(["this host is not armed: nothing to watch", $"over: {_told[0].Fact}"], Facts[1..]);
    });

    [Fact]
    public void With_arm_a_host_is_armed_when_the_network_has_come() => NetworkNamespace.Run(netlink =>
    {
        using var host = new ArmableHost(netlink);
        NetworkNamespace.Ip("address flush dev east");
        HostWatch watch = Watch(host, armsFirst: true);
        for (int i = 0; i < 2; i++) watch.Look();
        Assert.StartsWith("not armed yet, and it could not be armed: no route to server", Assert.Single(Facts));
        NetworkNamespace.Ip($"address add {ArmableHost.Own}/24 dev east");
        host.SetNextHop(ArmableHost.Mac);
        for (int i = 0; i < 2; i++) watch.Look();
        Assert.Equal(("armed", 2), (Facts[1], _told.Count));
        Assert.Equal("1", host.Files.Read(ArmableHost.Loaded));
    });

    [Fact]
    public void While_an_operator_is_at_work_the_watch_waits() => Armed(host =>
    {
        host.Fake.Write($"{Target}/enabled", "0\n");
        using (ArmingLock.Take(host.Files, TimeSpan.Zero))
        {
            Watch(host).Look();
            Assert.Throws<ClientException>(() => ArmingLock.Take(host.Files, TimeSpan.FromMilliseconds(150)));
        }
        Assert.Equal("0", host.Files.Read($"{Target}/enabled"));
        Watch(host).Look();
        Assert.Equal("1", host.Files.Read($"{Target}/enabled"));
    });
}
