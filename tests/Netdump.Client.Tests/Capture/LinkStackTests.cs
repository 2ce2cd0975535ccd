using Netdump.Client.Capture;
using Netdump.Client.Image;
using Netdump.Client.Linux;
using Netdump.Client.Tests.Linux;

namespace Netdump.Client.Tests.Capture;

/// <summary>
/// Against the real kernel, with ends of virtual cables for cards and a bridge on them, which every kernel has; bonds and VLANs are made by kernels
/// in the end-to-end tests.
/// </summary>
public sealed class LinkStackTests
{
    private const string Kept = "02:00:00:00:00:42";
    private static readonly TimeSpan Enough = TimeSpan.FromSeconds(10);

    private readonly List<string> _said = [];

    private static CaptureDevice Device(CaptureDeviceKind kind, string name, string? mac = null, params int[] below) => new()
    {
        Kind = kind,
        Name = name,
        Mac = mac,
        Mtu = 0,
        Below = below,
        Card = kind == CaptureDeviceKind.Card ? new CaptureCard("", "") : null,
        Vlan = null,
        Bond = null,
    };

    private static readonly CaptureDevice[] TwoCards =
        [Device(CaptureDeviceKind.Card, "eno1"), Device(CaptureDeviceKind.Card, "eno2"), Device(CaptureDeviceKind.Bridge, "br0", Kept, 0, 1)];

    private LinkStack Stack(RouteNetlink netlink, params string?[] cards) =>
        new(TwoCards, netlink, _ => [.. cards.Select(c => netlink.Links().FirstOrDefault(l => l.Name == c))], _said.Add);

    private void Run(Action<RouteNetlink> test) => NetworkNamespace.Run(netlink =>
    {
        NetworkNamespace.Ip("link add eth0 type veth peer name far0");
        NetworkNamespace.Ip("link add eth1 type veth peer name far1");
        foreach (Link far in netlink.Links().Where(l => l.Name.StartsWith("far", StringComparison.Ordinal))) netlink.SetUp(far.Index);
        test(netlink);
    });

    [Fact]
    public void What_lay_on_the_cards_is_made_and_taken_over_by_the_next_child() => Run(netlink =>
    {
        LinkStack stack = Stack(netlink, "eth1", "eth0");
        stack.Make();
        stack.SwitchOn(2);
        Link bridge = stack.Find(2)!;
        Assert.True(netlink.WaitForCarrier(bridge.Index, Enough));
        Assert.Equal(("br0", Kept), (bridge.Name, bridge.Mac.ToString()));
        Assert.Equal(2, netlink.Links().Count(l => l.Master == bridge.Index));
        Assert.Equal(["br0: bridge of eth1 (eno1 before), eth0 (eno2 before)"], _said);

        LinkStack next = Stack(netlink, "eth1", "eth0");
        next.Make();
        Assert.Equal(bridge.Index, next.Find(2)!.Index);
        Assert.Single(netlink.Links(), l => l.Bridge is not null);
    });

    [Fact]
    public void One_of_the_kernels_own_with_the_name_and_no_ports_is_replaced() => Run(netlink =>
    {
        netlink.MakeBridge("br0", null);
        int old = netlink.Links().Single(l => l.Name == "br0").Index;
        LinkStack stack = Stack(netlink, "eth0", "eth1");
        stack.Make();
        Assert.NotEqual(old, stack.Find(2)!.Index);
        Assert.Equal(Kept, stack.Find(2)!.Mac.ToString());
        Assert.Null(netlink.Link(old));
    });

    [Fact]
    public void A_name_that_the_kernel_has_given_away_is_replaced_by_another() => Run(netlink =>
    {
        NetworkNamespace.Ip("link set eth0 name br0");
        LinkStack stack = Stack(netlink, "br0", "eth1");
        stack.Make();
        Assert.Equal(("netdump2", 2), (stack.Find(2)!.Name, netlink.Links().Count(l => l.Master == stack.Find(2)!.Index)));
        Assert.Equal(["netdump2 (br0 before): bridge of br0 (eno1 before), eth1 (eno2 before)"], _said);
    });

    [Fact]
    public void With_a_card_missing_the_others_do_and_with_none_nothing_is_made() => Run(netlink =>
    {
        LinkStack stack = Stack(netlink, null, "eth1");
        stack.Make();
        Assert.Null(stack.Find(0));
        Assert.Equal(netlink.Links().Single(l => l.Name == "eth1").Master, stack.Find(2)!.Index);
        netlink.Delete(stack.Find(2)!.Index);

        LinkStack none = Stack(netlink, null, null);
        none.Make();
        Assert.Null(none.Find(2));
    });

    [Fact]
    public void A_hardware_address_is_set_and_what_the_kernel_refuses_is_one_line() => Run(netlink =>
    {
        CaptureDevice[] wanted = [Device(CaptureDeviceKind.Card, "eno1", Kept), Device(CaptureDeviceKind.Bridge, "a-name-that-is-too-long", null, 0)];
        LinkStack stack = new(wanted, netlink, _ => [netlink.Links().Single(l => l.Name == "eth0")], _said.Add);
        stack.Make();
        Assert.Equal(Kept, stack.Find(0)!.Mac.ToString());
        Assert.Null(stack.Find(1));
        Assert.Single(_said);
    });
}
