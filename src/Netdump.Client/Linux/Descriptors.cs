using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Netdump.Client.Linux;

/// <summary>Flags of open(2) that are equal on x86_64 and arm64 (asm-generic/fcntl.h).</summary>
[Flags]
public enum OpenFlags
{
    /// <summary>O_RDONLY.</summary>
    ReadOnly = 0,

    /// <summary>O_WRONLY.</summary>
    WriteOnly = 1,

    /// <summary>O_RDWR.</summary>
    ReadWrite = 2,

    /// <summary>O_CREAT.</summary>
    Create = 0x40,

    /// <summary>O_EXCL: with <see cref="Create"/>, a file that exists is an error.</summary>
    MustNotExist = 0x80,

    /// <summary>O_NOCTTY: a terminal does not become the controlling one.</summary>
    NoControllingTerminal = 0x100,

    /// <summary>O_NONBLOCK.</summary>
    NonBlocking = 0x800,
}

/// <summary>Bare file descriptors, for files the .NET file classes handle too cleverly: devices, procfs, pipes.</summary>
public static partial class Descriptors
{
    private const int CloseOnExec = 0x80000; // O_CLOEXEC

    /// <summary>O_DIRECT: past the page cache, in whole blocks. Not the same number everywhere.</summary>
    public static OpenFlags Direct { get; } = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? (OpenFlags)0x10000 : (OpenFlags)0x4000;

    /// <summary>Opens a file, close-on-exec.</summary>
    /// <param name="path">The file.</param>
    /// <param name="flags">How.</param>
    /// <param name="mode">Of a file that is created.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static SafeFileHandle Open(string path, OpenFlags flags, UnixFileMode mode = UnixFileMode.None)
    {
        while (true)
        {
            int descriptor = NativeOpen(path, (int)flags | CloseOnExec, (int)mode);
            if (descriptor >= 0) return new SafeFileHandle(descriptor, ownsHandle: true);
            if (Marshal.GetLastPInvokeError() != Errno.Interrupted) throw LinuxException.Last($"open {path}");
        }
    }

    /// <summary>Makes a pipe whose ends do not block. Programs started from here inherit the writer alone.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static unsafe (SafeFileHandle Reader, SafeFileHandle Writer) PipeForChild()
    {
        int* ends = stackalloc int[2];
        if (NativePipe(ends, CloseOnExec | (int)OpenFlags.NonBlocking) != 0) throw LinuxException.Last("pipe");
        const int SetDescriptorFlags = 2; // F_SETFD
        _ = NativeControl(ends[1], SetDescriptorFlags, 0);
        return (new SafeFileHandle(ends[0], ownsHandle: true), new SafeFileHandle(ends[1], ownsHandle: true));
    }

    /// <summary>One read(2). 0 at the end of the file; -errno when the kernel refused (EAGAIN: nothing there).</summary>
    public static unsafe int Read(SafeFileHandle file, Span<byte> buffer)
    {
        fixed (byte* bytes = buffer)
        {
            nint got = NativeRead(file, bytes, (nuint)buffer.Length);
            return got >= 0 ? (int)got : -Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>One write(2). The number of bytes taken, or -errno.</summary>
    public static unsafe int Write(SafeFileHandle file, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            nint done = NativeWrite(file, start, (nuint)bytes.Length);
            return done >= 0 ? (int)done : -Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>fsync(2), of a directory too.</summary>
    /// <exception cref="LinuxException">The disk failed.</exception>
    public static void Sync(SafeFileHandle file)
    {
        if (NativeSync(file) != 0) throw LinuxException.Last("fsync");
    }

    /// <summary>Where a file ends: the size of a block device, for which stat(2) says 0.</summary>
    /// <exception cref="LinuxException">It does not seek.</exception>
    public static long SeekEnd(SafeFileHandle file)
    {
        const int FromEnd = 2; // SEEK_END
        long end = NativeSeek(file, 0, FromEnd);
        return end >= 0 ? end : throw LinuxException.Last("lseek");
    }

    /// <summary>Lets the kernel drop what it caches of a file (posix_fadvise POSIX_FADV_DONTNEED). The pages are freed, not wiped; best effort.</summary>
    public static void DropCached(SafeFileHandle file)
    {
        const int DoNotNeed = 4;
        _ = NativeAdvise(file, 0, 0, DoNotNeed);
    }

    /// <summary>Waits until there is something to read in <paramref name="file"/> (or it ended), at most <paramref name="limit"/>.</summary>
    /// <returns>False when the time was over or a signal came.</returns>
    public static unsafe bool WaitReadable(SafeFileHandle file, TimeSpan limit)
    {
        PollEntry entry = new() { Descriptor = (int)file.DangerousGetHandle(), Events = PollEntry.In };
        int ready = NativePoll(&entry, 1, (int)Math.Clamp(Math.Ceiling(limit.TotalMilliseconds), 0, int.MaxValue));
        return ready > 0;
    }

    /// <summary>Waits, without anything to wait for. A signal ends it early.</summary>
    public static unsafe void Pause(TimeSpan time) => _ = NativePoll(null, 0, (int)Math.Clamp(Math.Ceiling(time.TotalMilliseconds), 0, int.MaxValue));

    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public const short In = 1;
        public int Descriptor;
        public short Events;
        public short Results;
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int NativeOpen(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "pipe2", SetLastError = true)]
    private static unsafe partial int NativePipe(int* ends, int flags);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int NativeControl(int descriptor, int command, int argument);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static unsafe partial nint NativeRead(SafeFileHandle file, byte* buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static unsafe partial nint NativeWrite(SafeFileHandle file, byte* buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int NativeSync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long NativeSeek(SafeFileHandle file, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int NativeAdvise(SafeFileHandle file, long offset, long length, int advice);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static unsafe partial int NativePoll(PollEntry* entries, nuint count, int milliseconds);
}
