using Microsoft.Win32.SafeHandles;
using Netdump.Client.Linux;

namespace Netdump.Client.Capture;

/// <summary>
/// /dev/watchdog, which the dead host's system fed and which still runs down. Its driver is loaded by the child, so the device may
/// come late. It is never closed with the magic character: should pid 1 hang, the watchdog restarts the machine.
/// </summary>
internal sealed class Watchdog
{
    private const string Device = "/dev/watchdog";
    private SafeFileHandle? _device;

    /// <summary>Feeds it, once it is there.</summary>
    /// <returns>True for the first feed.</returns>
    public bool Feed()
    {
        bool first = _device is null;
        if (first && !File.Exists(Device)) return false;
        _device ??= Descriptors.Open(Device, OpenFlags.WriteOnly);
        _ = Descriptors.Write(_device, [0]);
        return first;
    }
}
