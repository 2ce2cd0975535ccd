using System.Net;
using CsCheck;
using Netdump.Client.Linux;

namespace Netdump.Client.Tests.Linux;

public sealed class NetlinkMessageTests
{
    [Fact]
    public void Random_bytes_never_throw()
    {
        Gen.Byte.Array[0, 300].Sample(bytes =>
        {
            NetlinkMessages messages = new(bytes);
            while (messages.TryNext(out NetlinkMessage message)) message.ReadError();
            ReadAll(bytes);
        }, iter: 20_000);
    }

    [Fact]
    public void A_damaged_request_never_throws_and_never_reads_past_its_end()
    {
        Gen.Select(Gen.Int[0, 200], Gen.Byte, Gen.Int[0, 200]).Sample((at, value, cut) =>
        {
            byte[] buffer = new byte[NetlinkRequest.MaximumSize];
            int length = NetlinkRequest.AddRoute(buffer, 7, new Route(IPAddress.Parse("fd00::"), 64, IPAddress.Parse("fe80::1"), IPAddress.Parse("fd00::2"), 3));
            buffer[at % length] = value;
            ReadAll(buffer.AsSpan(NetlinkMessage.HeaderSize, Math.Min(cut, length - NetlinkMessage.HeaderSize)));
        }, iter: 20_000);
    }

    [Theory]
    [InlineData("10.1.2.0", 24, "10.9.9.1", "10.1.2.7", 0u)]
    [InlineData("0.0.0.0", 0, "10.9.9.1", null, 100u)]
    [InlineData("10.1.2.0", 24, null, null, 0u)]
    [InlineData("10.1.2.0", 24, "fd00::1", null, 0u)]
    [InlineData("fd00:1::", 64, "fd00::1", "fd00::7", 1024u)]
    [InlineData("::", 0, "fd00::1", null, 0u)]
    public void A_route_reads_back_as_it_was_written(string destination, int prefix, string? gateway, string? source, uint metric)
    {
        Route route = new(IPAddress.Parse(destination), prefix, gateway is null ? null : IPAddress.Parse(gateway), source is null ? null : IPAddress.Parse(source), 5,
            Metric: metric);
        NetlinkMessage message = Single(NetlinkRequest.AddRoute(Buffer, 42, route));
        Assert.Equal(NetlinkType.NewRoute, message.Type);
        Assert.Equal(42u, message.Sequence);
        Assert.Equal(route, NetlinkAnswer.ReadRoute(message.Body));
    }

    [Theory]
    [InlineData("10.1.2.3", 24)]
    [InlineData("fd00::3", 64)]
    public void An_address_reads_back_as_it_was_written(string text, int prefix)
    {
        NetlinkMessage message = Single(NetlinkRequest.AddAddress(Buffer, 1, 9, IPAddress.Parse(text), prefix));
        InterfaceAddress? address = NetlinkAnswer.ReadAddress(message.Body);
        Assert.Equal((9, IPAddress.Parse(text), prefix), (address?.Index, address?.Address, address?.PrefixLength));
    }

    [Fact]
    public void A_neighbour_reads_back_as_it_was_written()
    {
        Assert.True(MacAddress.TryParse("02:00:5e:10:20:30", out MacAddress mac));
        NetlinkMessage message = Single(NetlinkRequest.SetNeighbour(Buffer, 1, 9, IPAddress.Parse("10.0.0.1"), mac));
        Assert.Equal(new Neighbour(9, IPAddress.Parse("10.0.0.1"), mac, NeighbourState.Permanent), NetlinkAnswer.ReadNeighbour(message.Body));
    }

    [Fact]
    public void What_a_VLAN_a_bond_and_a_bridge_are_reads_back_as_it_was_written()
    {
        Gen.Select(Gen.Int[1, 4094], Gen.Int[0, 6], Gen.UInt, Gen.Int[0, 255], Gen.Int[0, 65535], Gen.Byte.Array[MacAddress.Size], Gen.Bool).Sample((id, mode, interval, number, port, bytes, flag) =>
        {
            Assert.True(MacAddress.TryRead(bytes, out MacAddress mac));
            VlanOptions vlan = new(id, flag ? VlanOptions.Customer : VlanOptions.Service);
            Link? read = ReadMade(LinkRequest.MakeVlan(Buffer, 1, "bond0.120", mac, 5, vlan));
            Assert.Equal((vlan, "vlan", "bond0.120", mac, 5), (read?.Vlan, read?.Kind, read?.Name, read?.Mac, read?.Lower));

            BondOptions bond = new() { Mode = mode, MonitorInterval = interval, HashPolicy = number, FailOverMac = number % 3 };
            if (mode == BondOptions.Lacp)
                bond = bond with { LacpRate = number & 1, LacpActive = flag ? null : false, SystemPriority = port, PortKey = port, SystemMac = mac.IsZero ? null : mac };
            read = ReadMade(LinkRequest.MakeBond(Buffer, 1, "a-name-of-15-by", flag ? mac : null, bond));
            Assert.Equal((bond, "bond", flag ? mac : null), (read?.Bond, read?.Kind, read?.Mac));

            read = ReadMade(LinkRequest.MakeBridge(Buffer, 1, "br0", null));
            Assert.Equal((new BridgeOptions(false, false), "bridge"), (read?.Bridge, read?.Kind));
        }, threads: 1); // one buffer for all
    }

    [Fact]
    public void The_VLANs_of_a_bridges_port_are_told_one_by_one_or_in_ranges()
    {
        byte[] body = new byte[16 + 4 + (4 * 8)];
        (body[0], body[4], body[16], body[18]) = (7, 9, 36, 26); // AF_BRIDGE, interface 9, IFLA_AF_SPEC of 36 bytes
        int at = 20;
        // Flags and number: 1 is the default and untagged, 100 to 150 a range, 200 tagged. (The attribute's type is IFLA_BRIDGE_VLAN_INFO.)
        foreach ((byte flags, byte number) in new (byte, byte)[] { (2 | 4, 1), (8, 100), (16, 150), (0, 200) })
        {
            (body[at], body[at + 2], body[at + 4], body[at + 6]) = (8, 2, flags, number);
            at += 8;
        }
        Assert.Equal([new(9, 1, 1, true, true), new(9, 100, 150, false, false), new(9, 200, 200, false, false)], BridgeAnswer.ReadVlans(body)!);
    }

    [Fact]
    public void A_name_that_is_too_long_for_the_kernel_is_not_sent() =>
        Assert.Throws<ArgumentException>(() => LinkRequest.MakeBridge(Buffer, 1, "a-name-of-16-byt", null));

    private static Link? ReadMade(ReadOnlySpan<byte> message)
    {
        NetlinkMessages messages = new(message);
        Assert.True(messages.TryNext(out NetlinkMessage one));
        byte[] body = one.Body.ToArray();
        body[4] = 9; // the kernel numbers it
        return NetlinkAnswer.ReadLink(body);
    }

    private Link? ReadMade(int length) => ReadMade(Buffer.AsSpan(0, length));

    [Fact]
    public void The_longest_request_fits_the_buffer()
    {
        Assert.True(MacAddress.TryParse("02:00:5e:10:20:30", out MacAddress mac));
        BondOptions bond = new() { Mode = BondOptions.Lacp, FailOverMac = 1, LacpActive = false, SystemPriority = 1, PortKey = 1, SystemMac = mac };
        Assert.InRange(LinkRequest.MakeBond(Buffer, 1, "a-name-of-15-by", mac, bond), 1, NetlinkRequest.MaximumSize);
        Route route = new(IPAddress.Parse("10.0.0.0"), 8, IPAddress.Parse("fd00::1"), IPAddress.Parse("10.0.0.1"), int.MaxValue, uint.MaxValue, Metric: 9);
        Assert.InRange(NetlinkRequest.AddRoute(Buffer, 1, route), 1, NetlinkRequest.MaximumSize);
    }

    [Fact]
    public void Every_mac_address_reads_back_from_text_and_bytes()
    {
        Gen.Byte.Array[MacAddress.Size].Sample(bytes =>
        {
            Assert.True(MacAddress.TryRead(bytes, out MacAddress mac));
            Assert.True(MacAddress.TryParse(mac.ToString(), out MacAddress parsed));
            byte[] written = new byte[MacAddress.Size];
            parsed.Write(written);
            Assert.Equal(bytes, written);
        });
    }

    [Theory]
    [InlineData("")]
    [InlineData("02:00:5e:10:20")]
    [InlineData("02:00:5e:10:20:3g")]
    [InlineData("02.00.5e.10.20.30")]
    [InlineData("02:00:5e:10:20:30:40")]
    public void What_is_no_mac_address_is_refused(string text) => Assert.False(MacAddress.TryParse(text, out _));

    [Fact]
    public void Two_messages_of_one_datagram_are_both_seen_and_a_cut_third_is_not()
    {
        byte[] datagram = new byte[1024];
        int first = NetlinkRequest.GetLink(datagram, 1, 4);
        int second = NetlinkRequest.GetLink(datagram.AsSpan(first), 2, 5);
        int third = NetlinkRequest.GetLink(datagram.AsSpan(first + second), 3, 6);
        NetlinkMessages messages = new(datagram.AsSpan(0, first + second + third - 1));
        List<uint> seen = [];
        while (messages.TryNext(out NetlinkMessage message)) seen.Add(message.Sequence);
        Assert.Equal([1u, 2u], seen);
    }

    private byte[] Buffer { get; } = new byte[NetlinkRequest.MaximumSize];

    private NetlinkMessage Single(int length)
    {
        NetlinkMessages messages = new(Buffer.AsSpan(0, length));
        Assert.True(messages.TryNext(out NetlinkMessage message));
        return message;
    }

    private static void ReadAll(ReadOnlySpan<byte> body)
    {
        NetlinkAnswer.ReadLink(body);
        NetlinkAnswer.ReadAddress(body);
        NetlinkAnswer.ReadRoute(body);
        NetlinkAnswer.ReadNeighbour(body);
        BridgeAnswer.ReadForwarding(body);
        BridgeAnswer.ReadVlans(body);
    }
}
