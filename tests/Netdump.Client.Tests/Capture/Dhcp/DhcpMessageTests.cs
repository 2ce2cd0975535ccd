using System.Net;
using CsCheck;
using Netdump.Client.Capture.Dhcp;
using Netdump.Client.Linux;

namespace Netdump.Client.Tests.Capture.Dhcp;

public sealed class DhcpMessageTests
{
    private static readonly Gen<IPAddress> Host = Gen.Select(Gen.Byte[1, 126], Gen.Byte.Array[3], (first, rest) => new IPAddress([first, .. rest]));
    private static readonly Gen<MacAddress> Hardware = Gen.Byte.Array[6].Select(b => MacAddress.TryRead(b, out MacAddress mac) ? mac : default);

    [Fact]
    public void Random_bytes_are_never_more_than_nothing() => Gen.Byte.Array[0, 600].Sample(bytes => Assert.Null(DhcpMessage.Read(bytes)), iter: 20_000);

    [Fact]
    public void A_servers_answer_reads_back_and_damage_never_throws()
    {
        Gen.Select(Gen.OneOf(Gen.Const(DhcpKind.Offer), Gen.Const(DhcpKind.Acknowledge), Gen.Const(DhcpKind.Refuse)), Gen.UInt, Hardware, Gen.Select(Host, Host, Host), Gen.Int[1, 32], Gen.Select(Gen.Int[0, 399], Gen.Byte, Gen.Int[0, 400]))
            .Sample((type, transaction, hardware, addresses, prefix, damage) =>
            {
                (IPAddress given, IPAddress server, IPAddress router) = addresses;
                byte[] bytes = DhcpServer.Answer(type, transaction, hardware, given, server, prefix, router);
                DhcpMessage message = DhcpMessage.Read(bytes) ?? throw new InvalidOperationException("not read");
                Assert.Equal((type, transaction, hardware, given, server, prefix, router),
                    (message.Type, message.Transaction, message.Hardware, message.Given, message.ServerId, message.PrefixLength, message.Gateway));
                bytes[damage.Item1 % bytes.Length] = damage.Item2;
                _ = DhcpMessage.Read(bytes.AsSpan(0, Math.Min(bytes.Length, damage.Item3)));
            }, iter: 20_000);
    }

    [Fact]
    public void Options_in_the_fields_for_names_are_read_when_the_server_says_so()
    {
        byte[] bytes = DhcpServer.Answer(DhcpKind.Acknowledge, 7, default, IPAddress.Parse("10.0.0.5"), IPAddress.Parse("10.0.0.1"), 24, IPAddress.Parse("10.0.0.1"));
        byte[] options = [53, 1, 5, 52, 1, 3, 255];
        bytes.AsSpan(240).Clear();
        options.CopyTo(bytes, 240);
        ((byte[])[1, 4, 255, 255, 0, 0, 255]).CopyTo(bytes, 108);
        ((byte[])[0, 0, 54, 4, 10, 0, 0, 9, 255]).CopyTo(bytes, 44);
        DhcpMessage? message = DhcpMessage.Read(bytes);
        Assert.Equal((DhcpKind.Acknowledge, 16, IPAddress.Parse("10.0.0.9")), (message?.Type, message?.PrefixLength, message?.ServerId));
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("127.0.0.1")]
    [InlineData("224.0.0.1")]
    [InlineData("255.255.255.255")]
    public void An_address_that_no_host_can_have_is_none(string address)
    {
        IPAddress one = IPAddress.Parse("10.0.0.1");
        Assert.Null(DhcpMessage.Read(DhcpServer.Answer(DhcpKind.Acknowledge, 7, default, IPAddress.Parse(address), one, 24, one))!.Given);
        Assert.Null(DhcpMessage.Read(DhcpServer.Answer(DhcpKind.Acknowledge, 7, default, one, one, 24, IPAddress.Parse(address)))!.Gateway);
    }

    [Theory]
    [InlineData("255.0.255.0")]
    [InlineData("0.0.0.0")]
    [InlineData("0.0.0.255")]
    public void A_mask_with_holes_is_none(string mask)
    {
        IPAddress one = IPAddress.Parse("10.0.0.1");
        byte[] bytes = DhcpServer.Answer(DhcpKind.Acknowledge, 7, default, one, one, 24, one);
        int at = bytes.AsSpan().IndexOf((ReadOnlySpan<byte>)[1, 4, 255, 255, 255, 0]);
        IPAddress.Parse(mask).GetAddressBytes().CopyTo(bytes, at + 2);
        Assert.Null(DhcpMessage.Read(bytes)!.PrefixLength);
    }

    [Fact]
    public void A_request_is_what_RFC_2131_says_of_INIT_REBOOT()
    {
        Assert.True(MacAddress.TryParse("52:54:00:12:34:56", out MacAddress mac));
        byte[] buffer = new byte[DhcpMessage.MaximumSize];
        Array.Fill(buffer, (byte)0xee);
        int length = new DhcpMessage { Type = DhcpKind.Request, Transaction = 0x01020304, Hardware = mac, Wanted = IPAddress.Parse("10.0.0.5"), ClientId = new byte[] { 1, 2, 3 } }.Write(buffer);
        Assert.Equal(300, length);
        Assert.Equal([1, 1, 6, 0, 1, 2, 3, 4, 0, 0, 0x80, 0], buffer[..12]);
        Assert.True(buffer.AsSpan(12, 16).IndexOfAnyExcept((byte)0) < 0, "ciaddr, yiaddr, siaddr and giaddr are empty");
        Assert.Equal([0x52, 0x54, 0, 0x12, 0x34, 0x56, 0], buffer[28..35]);
        Assert.Equal([99, 130, 83, 99, 53, 1, 3, 50, 4, 10, 0, 0, 5, 61, 3, 1, 2, 3, 57, 2, 2, 64, 55, 3, 1, 3, 54, 255, 0], buffer[236..265]);
    }

    [Fact]
    public void The_longest_message_fits()
    {
        IPAddress one = IPAddress.Parse("10.0.0.1");
        DhcpMessage longest = new() { Type = DhcpKind.Request, Transaction = 1, Hardware = default, Wanted = one, ServerId = one, ClientId = new byte[255] };
        Assert.Equal(DhcpMessage.MaximumSize, longest.Write(new byte[DhcpMessage.MaximumSize]));
        Assert.Null(DhcpMessage.Read(new byte[DhcpMessage.MaximumSize]));
    }
}
