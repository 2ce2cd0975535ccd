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
    public void The_longest_request_fits_the_buffer()
    {
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
    }
}
