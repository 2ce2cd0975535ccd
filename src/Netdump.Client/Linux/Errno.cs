using System.Runtime.InteropServices;

namespace Netdump.Client.Linux;

/// <summary>errno values this program decides by (asm-generic/errno-base.h and errno.h; equal on x86_64 and arm64).</summary>
public static class Errno
{
    /// <summary>EPERM: not allowed (lockdown, capability).</summary>
    public const int NotPermitted = 1;

    /// <summary>ENOENT.</summary>
    public const int NotFound = 2;

    /// <summary>ESRCH: no such process.</summary>
    public const int NoProcess = 3;

    /// <summary>EINTR: a signal came first; try again.</summary>
    public const int Interrupted = 4;

    /// <summary>EIO.</summary>
    public const int InputOutput = 5;

    /// <summary>ENOEXEC: not a kernel image or module of this kernel.</summary>
    public const int NotExecutable = 8;

    /// <summary>EAGAIN: nothing there at the moment.</summary>
    public const int Again = 11;

    /// <summary>ENOMEM.</summary>
    public const int NoMemory = 12;

    /// <summary>EACCES.</summary>
    public const int Denied = 13;

    /// <summary>EBUSY: somebody else does it or holds it.</summary>
    public const int Busy = 16;

    /// <summary>EEXIST: already there.</summary>
    public const int Exists = 17;

    /// <summary>ENODEV.</summary>
    public const int NoDevice = 19;

    /// <summary>EINVAL.</summary>
    public const int Invalid = 22;

    /// <summary>ETXTBSY: the file is open for writing.</summary>
    public const int TextBusy = 26;

    /// <summary>ENOSPC.</summary>
    public const int NoSpace = 28;

    /// <summary>EPIPE: the reader of /dev/kmsg fell behind and records were overwritten.</summary>
    public const int Pipe = 32;

    /// <summary>ENOSYS: the kernel has no such call.</summary>
    public const int NotImplemented = 38;

    /// <summary>ENODATA: a kernel image carries no signature.</summary>
    public const int NoData = 61;

    /// <summary>EBADMSG: a signature that is none.</summary>
    public const int BadMessage = 74;

    /// <summary>EDESTADDRREQ: a device has no address to send from.</summary>
    public const int AddressRequired = 89;

    /// <summary>EMSGSIZE: longer than the link takes.</summary>
    public const int MessageTooLong = 90;

    /// <summary>ENOPROTOOPT: the kernel has no such socket option.</summary>
    public const int NoProtocolOption = 92;

    /// <summary>EOPNOTSUPP.</summary>
    public const int OperationNotSupported = 95;

    /// <summary>EADDRNOTAVAIL.</summary>
    public const int AddressNotAvailable = 99;

    /// <summary>ENETUNREACH: no route.</summary>
    public const int NetworkUnreachable = 101;

    /// <summary>ETIMEDOUT.</summary>
    public const int TimedOut = 110;

    /// <summary>ECONNREFUSED: nothing listens there.</summary>
    public const int ConnectionRefused = 111;

    /// <summary>ENOKEY: the kernel does not know the key of a signature.</summary>
    public const int KeyUnknown = 126;

    /// <summary>EKEYREJECTED: the signature is of no key the kernel trusts.</summary>
    public const int KeyRejected = 129;

    /// <summary>ENOTSUPP, which never leaves the kernel but here: a network driver refuses netconsole.</summary>
    public const int NotSupported = 524;

    /// <summary>A short text for <paramref name="error"/> as strerror(3) gives it, without its number.</summary>
    public static string Text(int error) => Marshal.GetPInvokeErrorMessage(error);
}
