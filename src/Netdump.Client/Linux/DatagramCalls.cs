using System.Runtime.InteropServices;

namespace Netdump.Client.Linux;

/// <summary>Many datagrams with one system call. Layouts and values are those of Linux on x86-64 and arm64.</summary>
internal static unsafe partial class DatagramCalls
{
    /// <summary>MSG_DONTWAIT.</summary>
    public const int DontWait = 0x40;

    /// <summary>SOL_SOCKET.</summary>
    public const int LevelSocket = 1;

    /// <summary>SO_RCVBUFFORCE: past net.core.rmem_max, for who may administer the network.</summary>
    public const int ReceiveBufferForce = 33;

    /// <summary>SOL_UDP.</summary>
    public const int LevelUdp = 17;

    /// <summary>UDP_SEGMENT: the kernel cuts what is sent into datagrams of this length.</summary>
    public const int Segment = 103;

    /// <summary>sendmmsg(2): how many messages were sent; -1 and the thread's last error when the first one was not.</summary>
    [LibraryImport("libc", EntryPoint = "sendmmsg", SetLastError = true)]
    public static partial int SendMany(int socket, BatchMessage* messages, uint count, int flags);

    /// <summary>recvmmsg(2): how many messages came; -1 and the thread's last error when none did.</summary>
    [LibraryImport("libc", EntryPoint = "recvmmsg", SetLastError = true)]
    public static partial int ReceiveMany(int socket, BatchMessage* messages, uint count, int flags, void* timeout);
}

/// <summary>struct iovec, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct IoVector
{
    public void* Base;
    public nuint Length;
}

/// <summary>struct msghdr, 56 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct Message
{
    public void* Name;
    public uint NameLength;
    public IoVector* Vectors;
    public nuint VectorCount;
    public void* Control;
    public nuint ControlLength;
    public int Flags;
}

/// <summary>struct mmsghdr, 64 bytes: the message, and how much of it was sent or came.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BatchMessage
{
    public Message Header;
    public uint Length;
}
