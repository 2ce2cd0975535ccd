using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Netdump.Server.Receivers.Udp;

/// <summary>
/// The classic BPF program that chooses the socket of a reuse-port group by the source address alone. The kernel's own choice
/// hashes ports too, which would spread one host's sessions and console over several threads.
/// </summary>
internal static unsafe class SourceSteering
{
    private const uint NetworkHeader = 0xfff0_0000; // SKF_NET_OFF: offsets from here are in the IP header
    private const uint GoldenRatio = 0x9e37_79b1;

    private const ushort LoadWord = 0x20;
    private const ushort LoadByte = 0x30;
    private const ushort Jump = 0x05;
    private const ushort JumpIfEqual = 0x15;
    private const ushort ShiftRight = 0x74;
    private const ushort Multiply = 0x24;
    private const ushort Modulo = 0x94;
    private const ushort XorIndex = 0xac;
    private const ushort CopyToIndex = 0x07;
    private const ushort ReturnAccumulator = 0x16;

    /// <summary>The socket that datagrams of an address come to: what the program computes.</summary>
    public static int SocketOf(in AddressKey source, int sockets)
    {
        uint folded = source.IsIPv4
            ? source.IPv4
            : (uint)(source.High >> 32) ^ (uint)source.High ^ (uint)(source.Low >> 32) ^ (uint)source.Low;
        return (int)((unchecked(folded * GoldenRatio) >> 16) % (uint)sockets);
    }

    /// <summary>Attaches the program to the group that <paramref name="socket"/> belongs to.</summary>
    public static void Attach(Socket socket, int sockets)
    {
        ReadOnlySpan<Instruction> program =
        [
            new(LoadByte, 0, 0, NetworkHeader),
            new(ShiftRight, 0, 0, 4),
            new(JumpIfEqual, 0, 2, 4), // version 4: next; else over two
            new(LoadWord, 0, 0, NetworkHeader + 12), // IPv4 source
            new(Jump, 0, 0, 10), // to the hash
            new(LoadWord, 0, 0, NetworkHeader + 8), // IPv6 source, four words folded into one
            new(CopyToIndex, 0, 0, 0),
            new(LoadWord, 0, 0, NetworkHeader + 12),
            new(XorIndex, 0, 0, 0),
            new(CopyToIndex, 0, 0, 0),
            new(LoadWord, 0, 0, NetworkHeader + 16),
            new(XorIndex, 0, 0, 0),
            new(CopyToIndex, 0, 0, 0),
            new(LoadWord, 0, 0, NetworkHeader + 20),
            new(XorIndex, 0, 0, 0),
            new(Multiply, 0, 0, GoldenRatio),
            new(ShiftRight, 0, 0, 16),
            new(Modulo, 0, 0, (uint)sockets),
            new(ReturnAccumulator, 0, 0, 0),
        ];

        fixed (Instruction* instructions = program)
        {
            Program attached = new() { Length = (ushort)program.Length, Instructions = instructions };
            socket.SetRawSocketOption(
                SocketCalls.SocketLevel, SocketCalls.AttachReusePortFilter, new ReadOnlySpan<byte>(&attached, sizeof(Program)));
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Instruction(ushort Code, byte JumpTrue, byte JumpFalse, uint Operand);

    [StructLayout(LayoutKind.Sequential)]
    private struct Program
    {
        public ushort Length;
        public Instruction* Instructions;
    }
}
