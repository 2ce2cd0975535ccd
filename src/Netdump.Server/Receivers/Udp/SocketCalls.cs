using System.Runtime.InteropServices;

namespace Netdump.Server.Receivers.Udp;

/// <summary>
/// The socket calls that move many datagrams at once, and what wakes a thread that waits for them. Values are those of
/// Linux on x86-64 and arm64 (dotnet-hot-paths.md section 2).
/// </summary>
internal static unsafe partial class SocketCalls
{
    public const int InterruptedError = 4;
    public const int TryAgainError = 11;
    public const int InvalidError = 22;

    public const int DontWait = 0x40;
    public const int WaitForOne = 0x10000;
    public const int Truncated = 0x20;
    public const short PollIn = 1;

    public const int SocketLevel = 1;
    public const int SendBufferForce = 32;
    public const int ReceiveBufferForce = 33;
    public const int ReusePort = 15;
    public const int AttachReusePortFilter = 51;
    public const int MemoryInfo = 55; // SO_MEMINFO: 32-bit counters (linux/sock_diag.h)
    public const int MemoryInfoDrops = 8;

    public const int IPLevel = 0;
    public const int IPPacketInfo = 8;
    public const int IPv6Level = 41;
    public const int IPv6ReceivePacketInfo = 49;
    public const int IPv6PacketInfo = 50;
    public const int UdpLevel = 17;
    public const int UdpReceiveOffload = 104;

    private const int CloseOnExecNonBlocking = 0x80000 | 0x800;

    /// <summary>An event counter another thread can raise to end a poll.</summary>
    public static int MakeEvent()
    {
        int descriptor = EventFd(0, CloseOnExecNonBlocking);
        if (descriptor < 0) throw new StartException("cannot make an eventfd: " + Marshal.GetLastPInvokeErrorMessage());
        return descriptor;
    }

    /// <summary>Raises an event; never blocks.</summary>
    public static void Raise(int descriptor)
    {
        ulong one = 1;
        _ = Write(descriptor, &one, sizeof(ulong));
    }

    /// <summary>Lowers an event.</summary>
    public static void Lower(int descriptor)
    {
        ulong count;
        _ = Read(descriptor, &count, sizeof(ulong));
    }

    [LibraryImport("libc", EntryPoint = "recvmmsg", SetLastError = true)]
    public static partial int ReceiveMany(int socket, BatchMessage* messages, uint count, int flags, void* timeout);

    [LibraryImport("libc", EntryPoint = "sendmmsg", SetLastError = true)]
    public static partial int SendMany(int socket, BatchMessage* messages, uint count, int flags);

    [LibraryImport("libc", EntryPoint = "ppoll", SetLastError = true)]
    public static partial int Poll(PollEntry* entries, nuint count, TimeSpec* timeout, void* signalMask);

    [LibraryImport("libc", EntryPoint = "nanosleep", SetLastError = true)]
    public static partial int Nap(TimeSpec* time, TimeSpec* remaining);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial int EventFd(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(int descriptor, void* data, nuint length);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(int descriptor, void* data, nuint length);
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

/// <summary>struct mmsghdr, 64 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BatchMessage
{
    public Message Header;
    public uint Length;
}

/// <summary>struct cmsghdr, 16 bytes; data follows, each message padded to 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ControlHeader
{
    public nuint Length;
    public int Level;
    public int Type;

    public const int Size = 16;

    public static int Space(int dataLength) => Size + ((dataLength + 7) & ~7);
}

/// <summary>struct pollfd.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollEntry
{
    public int Descriptor;
    public short Events;
    public short Returned;
}

/// <summary>struct timespec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TimeSpec
{
    public long Seconds;
    public long Nanoseconds;

    public static TimeSpec From(TimeSpan time) => new()
    {
        Seconds = time.Ticks / TimeSpan.TicksPerSecond,
        Nanoseconds = time.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick,
    };
}
