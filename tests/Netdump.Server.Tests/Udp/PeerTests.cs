using System.Net;
using CsCheck;
using Netdump.Server.Receivers.Udp;

namespace Netdump.Server.Tests.Udp;

public sealed class PeerTests
{
    [Theory]
    [InlineData("192.0.2.7")]
    [InlineData("2001:db8::1")]
    [InlineData("fe80::1%3")]
    public void A_key_gives_its_address_back(string text)
    {
        IPAddress address = IPAddress.Parse(text);
        Assert.Equal(address, AddressKey.From(address).ToIPAddress());
        Assert.Equal(text, new Peer(AddressKey.From(address), 1).Address.ToString());
    }

    [Fact]
    public void An_IPv4_host_is_the_same_host_on_a_dual_stack_socket() =>
        Assert.Equal(AddressKey.From(IPAddress.Parse("10.1.2.3")), AddressKey.From(IPAddress.Parse("::ffff:10.1.2.3")));

    [Fact]
    public void Addresses_that_begin_with_zeros_are_not_IPv4()
    {
        Assert.False(AddressKey.From(IPAddress.IPv6Loopback).IsIPv4);
        Assert.False(AddressKey.From(IPAddress.Parse("::10.1.2.3")).IsIPv4);
        Assert.True(AddressKey.FromIPv4(1).IsIPv4);
    }

    [Fact]
    public void The_port_and_the_address_make_the_peer_and_our_own_address_does_not() =>
        Gen.Select(Gen.UInt, Gen.UShort, Gen.UInt, Gen.UShort).Sample((a, p, b, q) =>
        {
            Peer left = new(AddressKey.FromIPv4(a), p, AddressKey.FromIPv4(b)), right = new(AddressKey.FromIPv4(b), q);
            Assert.Equal(a == b && p == q, left == right);
            Assert.Equal(left, new Peer(left.Key, left.Port));
            Assert.Equal(left.GetHashCode(), new Peer(left.Key, left.Port).GetHashCode());
        });

    [Fact]
    public void A_closed_lane_wakes_nobody()
    {
        int woken = 0;
        Lane lane = new(() => woken++);
        lane.Post(() => { });
        lane.Close();
        lane.Post(() => { });
        Assert.Equal(1, woken);
    }

    [Fact]
    public void Posted_actions_run_in_order_and_those_they_post_run_in_the_next_round()
    {
        int woken = 0;
        List<int> ran = [];
        Lane lane = new(() => woken++);
        lane.Post(() =>
        {
            ran.Add(1);
            lane.Post(() => ran.Add(3));
        });
        lane.Post(() => ran.Add(2));
        Assert.Equal(2, lane.RunPosted());
        Assert.Equal([1, 2], ran);
        Assert.Equal(1, lane.RunPosted());
        Assert.Equal([1, 2, 3], ran);
        Assert.Equal(3, woken);
    }
}
