using System.Buffers.Binary;

namespace Netdump.Protocols.Tests.Classic;

/// <summary>A capture file (classic pcap, link type 101 = raw IP) of UDP datagrams between ports 6666 of 192.0.2.1 and 192.0.2.2.</summary>
internal static class PacketCapture
{
    public static byte[] Write(IEnumerable<byte[]> payloads)
    {
        using MemoryStream file = new();
        byte[] head = new byte[24];
        BinaryPrimitives.WriteUInt32LittleEndian(head, 0xa1b2c3d4);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(4), 2);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(6), 4);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(16), 65535);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(20), 101);
        file.Write(head);
        uint second = 0;
        foreach (byte[] payload in payloads)
        {
            byte[] packet = Datagram(payload);
            byte[] record = new byte[16];
            BinaryPrimitives.WriteUInt32LittleEndian(record, ++second);
            BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(8), packet.Length);
            BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(12), packet.Length);
            file.Write(record);
            file.Write(packet);
        }

        return file.ToArray();
    }

    private static byte[] Datagram(byte[] payload)
    {
        byte[] packet = new byte[28 + payload.Length];
        packet[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
        packet[8] = 64;
        packet[9] = 17;
        ((ReadOnlySpan<byte>)[192, 0, 2, 1, 192, 0, 2, 2]).CopyTo(packet.AsSpan(12));
        uint sum = 0;
        for (int i = 0; i < 20; i += 2)
            sum += BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(i));
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), (ushort)~(sum + (sum >> 16)));
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(20), 6666);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(22), 6666);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(24), (ushort)(8 + payload.Length));
        payload.CopyTo(packet, 28); // UDP checksum 0: none, as RHEL 3 sends
        return packet;
    }
}
