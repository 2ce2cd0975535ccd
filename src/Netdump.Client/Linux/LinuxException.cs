using System.Runtime.InteropServices;

namespace Netdump.Client.Linux;

/// <summary>A system call failed. The message is one line: what was tried and the kernel's answer in words.</summary>
public sealed class LinuxException : IOException
{
    /// <summary>Makes the exception from what was tried and the errno the kernel answered.</summary>
    /// <param name="operation">What was tried, for example <c>mount /proc</c>.</param>
    /// <param name="error">errno, positive.</param>
    public LinuxException(string operation, int error)
        : base($"{operation}: {Errno.Text(error)}")
    {
        Operation = operation;
        Error = error;
    }

    /// <summary>What was tried.</summary>
    public string Operation { get; }

    /// <summary>errno of the failure, positive; see <see cref="Errno"/>.</summary>
    public int Error { get; }

    /// <summary>Throws with the errno that the last system call of this thread left behind.</summary>
    public static LinuxException Last(string operation) => new(operation, Marshal.GetLastPInvokeError());
}
