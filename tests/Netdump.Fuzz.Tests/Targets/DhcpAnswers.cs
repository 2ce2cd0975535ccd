using System.Net.Sockets;
using Netdump.Client.Capture.Dhcp;
using Netdump.Fuzz.Tests.Engine;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>What a DHCP server, or whoever plays one, sends to a capture kernel.</summary>
public sealed class DhcpAnswers : FuzzTarget
{
    public override int MaximumLength => 400;

    public override IReadOnlyList<byte[]> Tokens => [[99, 130, 83, 99], [53, 1, 2], [53, 1, 5], [53, 1, 6], [52, 1, 3], [54, 4, 10, 0, 0, 1], [1, 4, 255, 255, 255, 0], [3, 4, 10, 0, 0, 1], [255]];

    public override IEnumerable<byte[]> Seeds => [Answer(5), Answer(2), Answer(6)];

    public override void Run(ReadOnlySpan<byte> input)
    {
        if (DhcpMessage.Read(input) is not { } message) return;
        Require(message.Type is DhcpKind.Offer or DhcpKind.Acknowledge or DhcpKind.Refuse, "only what a server says is read");
        Require(message.PrefixLength is null or (>= 1 and <= 32), "a prefix has 1 to 32 bits");
        foreach (System.Net.IPAddress? address in new[] { message.Given, message.Gateway, message.ServerId })
            Require(address is null or { AddressFamily: AddressFamily.InterNetwork }, "addresses are of IPv4");
    }

    private static byte[] Answer(byte type)
    {
        byte[] bytes = new byte[300];
        (bytes[0], bytes[1], bytes[2], bytes[16], bytes[19]) = (2, 1, 6, 10, 5);
        ((byte[])[99, 130, 83, 99, 53, 1, type, 52, 1, 3, 54, 4, 10, 0, 0, 1, 0, 1, 4, 255, 255, 255, 0, 3, 8, 10, 0, 0, 1, 10, 0, 0, 2, 255]).CopyTo(bytes, 236);
        return bytes;
    }
}
