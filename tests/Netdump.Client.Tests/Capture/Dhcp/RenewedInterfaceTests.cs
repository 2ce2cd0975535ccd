using System.Net;
using Netdump.Client.Capture.Dhcp;
using Netdump.Client.Image;

namespace Netdump.Client.Tests.Capture.Dhcp;

public sealed class RenewedInterfaceTests
{
    private static readonly CaptureInterface Leased = new()
    {
        Name = "eth0",
        Device = 0,
        Addresses = [new("10.0.0.5", 24), new("fd00::5", 64)],
        Routes = [new("10.0.0.1", 32, null, "10.0.0.5"), new("192.0.2.9", 32, "10.0.0.1", "10.0.0.5"), new("2001:db8::9", 128, "fd00::1", "fd00::5")],
        Neighbours = [new("10.0.0.1", "02:00:00:00:00:01")],
        Lease = new("10.0.0.5", null),
    };

    private static DhcpMessage Given(string address, int? prefix = 16, string? gateway = "10.1.0.1") => new()
    {
        Type = DhcpKind.Acknowledge,
        Transaction = 1,
        Hardware = default,
        Given = IPAddress.Parse(address),
        PrefixLength = prefix,
        Gateway = gateway is null ? null : IPAddress.Parse(gateway),
    };

    [Fact]
    public void The_same_address_changes_nothing() => Assert.Same(Leased, RenewedInterface.Of(Leased, Given("10.0.0.5")));

    [Fact]
    public void Another_address_takes_the_place_of_the_old_one_with_its_router()
    {
        CaptureInterface renewed = RenewedInterface.Of(Leased, Given("10.1.0.7"));
        Assert.Equal([new("10.1.0.7", 16), new("fd00::5", 64)], renewed.Addresses);
        Assert.Equal([new("10.1.0.1", 32, null, "10.1.0.7"), new("192.0.2.9", 32, "10.1.0.1", "10.1.0.7"), new("2001:db8::9", 128, "fd00::1", "fd00::5")], renewed.Routes);
        Assert.Empty(renewed.Neighbours);
        Assert.Equal("10.1.0.7", renewed.Lease?.Address);
    }

    [Fact]
    public void What_the_server_does_not_tell_stays()
    {
        CaptureInterface renewed = RenewedInterface.Of(Leased, Given("10.0.0.7", null, null));
        Assert.Equal(new CaptureAddress("10.0.0.7", 24), renewed.Addresses[0]);
        Assert.Equal(new CaptureRoute("192.0.2.9", 32, "10.0.0.1", "10.0.0.7"), renewed.Routes[1]);
        Assert.Single(renewed.Neighbours);
    }
}
