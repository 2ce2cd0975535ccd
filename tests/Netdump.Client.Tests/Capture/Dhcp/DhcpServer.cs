using System.Buffers.Binary;
using System.Net;
using Netdump.Client.Capture.Dhcp;
using Netdump.Client.Linux;

namespace Netdump.Client.Tests.Capture.Dhcp;

/// <summary>What a server sends, written from RFC 2131 and 2132, not by the code under test.</summary>
internal static class DhcpServer
{
    public static byte[] Answer(DhcpKind type, uint transaction, MacAddress hardware, IPAddress given, IPAddress server, int prefix, IPAddress router)
    {
        byte[] bytes = new byte[300];
        (bytes[0], bytes[1], bytes[2]) = (2, 1, 6);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), transaction);
        given.GetAddressBytes().CopyTo(bytes, 16);
        hardware.Write(bytes.AsSpan(28));
        byte[] mask = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(mask, uint.MaxValue << (32 - prefix));
        byte[] options = [99, 130, 83, 99, 0, 53, 1, (byte)type, 54, 4, .. server.GetAddressBytes(), 51, 4, 0, 0, 14, 16, 1, 4, .. mask, 3, 8, .. router.GetAddressBytes(), 10, 9, 9, 9, 15, 3, 97, 98, 99, 255];
        options.CopyTo(bytes, 236);
        return bytes;
    }
}
