using Microsoft.Win32.SafeHandles;
using Netdump.Client.Linux;
using Netdump.Client.Send;

namespace Netdump.Client.Capture;

/// <summary>
/// Reads the running kernel's own log, /dev/kmsg (Documentation/ABI/testing/dev-kmsg), from its oldest record on, without
/// waiting. One read gives one record: <c>priority,sequence,microseconds,flag[,...];text\n</c> and dictionary lines
/// <c> KEY=value\n</c>, escaped: what <see cref="Netdump.Protocols.NetConsole.ExtendedRecord"/> reads.
/// </summary>
public sealed class KernelMessages : IDisposable
{
    private readonly SafeFileHandle _file;

    private KernelMessages(SafeFileHandle file) => _file = file;

    /// <summary>Opens the log.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static KernelMessages Open() => new(Descriptors.Open("/dev/kmsg", OpenFlags.ReadOnly | OpenFlags.NonBlocking));

    /// <summary>Reads the next record.</summary>
    /// <param name="buffer"><see cref="LogDatagrams.LongestMessage"/> bytes.</param>
    /// <returns>Its length, 0 when there is no further one now.</returns>
    public int Read(Span<byte> buffer)
    {
        while (true)
        {
            int got = Descriptors.Read(_file, buffer);
            if (got >= 0) return got;
            // Records that were overwritten before they were read: the next read goes on with the oldest one left.
            if (got is not (-Errno.Pipe or -Errno.Interrupted)) return 0;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
