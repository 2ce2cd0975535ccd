using Netdump.Client.Host;
using Netdump.Client.Image;

namespace Netdump.Client.Tests.Host;

public sealed class DeviceTreeTests : IDisposable
{
    private readonly FakeHost _host = new();

    private DeviceTree Tree => new(_host.Files);

    [Fact]
    public void Drivers_are_those_of_the_card_and_of_each_parent_the_bus_first()
    {
        _host.AddVirtioCard();
        PhysicalInterface card = Tree.Read("eth0");
        Assert.Equal(["virtio_pci", "virtio_net"], card.Modules);
        Assert.Equal("/sys/devices/pci0000:00/0000:00:03.0/virtio0", card.BusPath);
        Assert.Empty(card.Phys);
    }

    [Fact]
    public void A_phy_bound_to_its_own_driver_is_carried_and_a_generic_one_is_not()
    {
        _host.AddVirtioCard();
        const string Phy = "/sys/devices/pci0000:00/0000:00:03.0/mdio_bus/r8169-0-300/r8169-0-300:00";
        _host.MakeDirectory(Phy);
        _host.AddDriver(Phy, "mdio_bus", "RTL8211F Gigabit Ethernet", "realtek");
        _host.Link("/sys/class/net/eth0/phydev", "../../../mdio_bus/r8169-0-300/r8169-0-300:00");
        PhysicalInterface card = Tree.Read("eth0");
        Assert.Equal([new PhyBinding("r8169-0-300:00", "RTL8211F Gigabit Ethernet")], card.Phys);
        Assert.Equal(["virtio_pci", "virtio_net", "realtek"], card.Modules);

        File.Delete(_host.Root + Phy + "/driver");
        _host.AddDriver(Phy, "mdio_bus", "Generic PHY", null);
        Assert.Empty(Tree.Read("eth0").Phys);
    }

    [Fact]
    public void Item5_the_upper_device_is_taken_for_a_port()
    {
        _host.AddVirtioCard();
        _host.AddUpper("br0", "bridge", "eth0");
        Assert.Equal("br0", Tree.UpperOf("eth0"));
        Assert.Equal("br0", Tree.UpperOf("br0"));
    }

    [Fact]
    public void Interfaces_with_a_device_and_wireless_ones_are_known()
    {
        _host.AddVirtioCard();
        _host.AddUpper("br0", "bridge", "eth0");
        Assert.True(Tree.HasDevice("eth0"));
        Assert.False(Tree.HasDevice("br0"));
        Assert.False(Tree.IsWireless("eth0"));
        _host.MakeDirectory("/sys/devices/pci0000:00/0000:00:03.0/virtio0/net/eth0/phy80211");
        Assert.True(Tree.IsWireless("eth0"));
    }

    [Fact]
    public void A_watchdog_counts_when_it_runs_and_has_a_device()
    {
        const string Device = "/sys/devices/pci0000:00/0000:00:1f.0";
        _host.MakeDirectory(Device);
        _host.AddDriver(Device, "platform", "iTCO_wdt", "iTCO_wdt");
        _host.Link("/sys/class/watchdog/watchdog0/device", "../../../devices/pci0000:00/0000:00:1f.0");
        _host.Write("/sys/class/watchdog/watchdog0/state", "inactive\n");
        _host.MakeDirectory("/sys/class/watchdog/watchdog1"); // softdog
        (IReadOnlyList<string> modules, bool inUse) = Tree.Watchdogs();
        Assert.Equal(["iTCO_wdt"], modules);
        Assert.False(inUse);
        _host.Write("/sys/class/watchdog/watchdog0/state", "active\n");
        Assert.True(Tree.Watchdogs().InUse);
    }

    [Fact]
    public void Links_are_followed_inside_the_root_and_circles_end()
    {
        _host.AddVirtioCard();
        Assert.Equal("/sys/devices/pci0000:00/0000:00:03.0/virtio0", _host.Files.Resolve("/sys/class/net/eth0/device"));
        _host.Link("/a", "b");
        _host.Link("/b", "a");
        Assert.Null(_host.Files.Resolve("/a"));
        Assert.Null(_host.Files.Resolve("/nothing/here"));
    }

    public void Dispose() => _host.Dispose();
}
