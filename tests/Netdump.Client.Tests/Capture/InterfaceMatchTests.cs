using Netdump.Client.Capture;
using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Tests.Capture;

public sealed class InterfaceMatchTests
{
    private const string Slot3 = "/sys/devices/pci0000:00/0000:00:03.0";
    private const string Slot4 = "/sys/devices/pci0000:00/0000:00:04.0";
    private const string A = "52:54:00:00:00:0a";
    private const string B = "52:54:00:00:00:0b";

    [Fact]
    public void Names_mean_nothing()
    {
        NetworkDevice[] devices = [Device(1, "eth0", B, Slot4), Device(2, "eth1", A, Slot3)];
        Assert.Equal(2, InterfaceMatch.Find(Wanted(A, Slot3), devices, exact: true)?.Link.Index);
    }

    [Fact]
    public void Of_two_ports_of_one_device_the_one_with_the_address_is_taken()
    {
        NetworkDevice[] devices = [Device(1, "eth0", B, Slot3), Device(2, "eth1", A, Slot3)];
        Assert.Equal(2, InterfaceMatch.Find(Wanted(A, Slot3), devices, exact: true)?.Link.Index);
    }

    [Fact]
    public void The_number_that_virtio_gave_does_not_count()
    {
        NetworkDevice[] devices = [Device(1, "eth0", A, Slot3 + "/virtio0")];
        Assert.NotNull(InterfaceMatch.Find(Wanted(A, Slot3 + "/virtio12"), devices, exact: true));
        Assert.Null(InterfaceMatch.Find(Wanted(A, Slot4 + "/virtio0"), devices, exact: true));
        Assert.Null(InterfaceMatch.Find(Wanted(A, Slot3 + "/virtiox"), devices, exact: true));
    }

    [Fact]
    public void The_permanent_address_counts_as_well()
    {
        NetworkDevice[] devices = [Device(1, "eth0", B, Slot3, permanent: A)];
        Assert.NotNull(InterfaceMatch.Find(Wanted(A, Slot3), devices, exact: true));
    }

    [Fact]
    public void A_device_in_another_slot_is_taken_by_its_address_but_only_when_asked()
    {
        NetworkDevice[] devices = [Device(1, "eth0", A, Slot4), Device(2, "eth1", B, Slot3)];
        Assert.Null(InterfaceMatch.Find(Wanted(A, Slot3), devices, exact: true));
        Assert.Equal(1, InterfaceMatch.Find(Wanted(A, Slot3), devices, exact: false)?.Link.Index);
    }

    [Fact]
    public void A_device_with_another_address_is_taken_by_its_place_if_it_is_alone_there()
    {
        Assert.Equal(1, InterfaceMatch.Find(Wanted(A, Slot3), [Device(1, "eth0", B, Slot3)], exact: false)?.Link.Index);
        Assert.Null(InterfaceMatch.Find(Wanted(A, Slot3), [Device(1, "eth0", B, Slot3), Device(2, "eth1", null, Slot3)], exact: false));
    }

    [Fact]
    public void An_interface_without_a_place_is_found_by_its_address_and_one_without_an_address_by_its_place()
    {
        Assert.NotNull(InterfaceMatch.Find(Wanted(A, ""), [Device(1, "eth0", A, Slot3)], exact: true));
        Assert.NotNull(InterfaceMatch.Find(Wanted("", Slot3), [Device(1, "eth0", A, Slot3)], exact: false));
        Assert.Null(InterfaceMatch.Find(Wanted("00:00:00:00:00:00", ""), [Device(1, "eth0", "00:00:00:00:00:00", Slot3)], exact: false));
    }

    [Fact]
    public void No_device_is_two_cards()
    {
        NetworkDevice[] devices = [Device(7, "eth0", B, Slot3), Device(8, "eth1", null, Slot4)];
        // The first card would be content with slot 3, but its device is known to be the second card.
        CaptureCard[] cards = [Wanted(A, Slot3), Wanted(B, Slot3)];
        Assert.Equal([null, 7], InterfaceMatch.FindAll(cards, devices, exact: true).Select(l => l?.Index));
        Assert.Equal([null, 7], InterfaceMatch.FindAll(cards, devices, exact: false).Select(l => l?.Index));
        Assert.Equal([8, 7], InterfaceMatch.FindAll([Wanted(A, Slot4), Wanted(B, Slot3)], devices, exact: false).Select(l => l?.Index));
    }

    private static CaptureCard Wanted(string mac, string busPath) => new(mac, busPath);

    private static NetworkDevice Device(int index, string name, string? mac, string busPath, string? permanent = null) =>
        new(new Link(index, name, LinkFlags.None, Mac(mac), Mac(permanent), 1500, 0, 0, ""), busPath);

    private static MacAddress? Mac(string? text) => text is not null && MacAddress.TryParse(text, out MacAddress mac) ? mac : null;
}
