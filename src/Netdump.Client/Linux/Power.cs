using System.Runtime.InteropServices;

namespace Netdump.Client.Linux;

/// <summary>What reboot(2) does to the machine (include/uapi/linux/reboot.h).</summary>
public enum PowerAction : uint
{
    /// <summary>LINUX_REBOOT_CMD_RESTART.</summary>
    Restart = 0x01234567,

    /// <summary>LINUX_REBOOT_CMD_HALT: stops, power stays on.</summary>
    Halt = 0xCDEF0123,
}

/// <summary>sync(2), reboot(2) and, when that comes back, /proc/sysrq-trigger.</summary>
public static partial class Power
{
    /// <summary>Writes all dirty pages of all file systems to their devices.</summary>
    public static void Sync() => NativeSync();

    /// <summary>Asks the kernel to restart or stop the machine at once. Comes back only when it failed.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Request(PowerAction action)
    {
        if (NativeReboot(unchecked((int)(uint)action)) != 0) throw LinuxException.Last("reboot");
    }

    /// <summary>The last resort: an immediate restart by the SysRq handler, which asks no driver.</summary>
    /// <exception cref="IOException">/proc/sysrq-trigger cannot be written.</exception>
    public static void RestartBySysRq() => File.WriteAllText("/proc/sysrq-trigger", "b");

    [LibraryImport("libc", EntryPoint = "sync")]
    private static partial void NativeSync();

    [LibraryImport("libc", EntryPoint = "reboot", SetLastError = true)]
    private static partial int NativeReboot(int command);
}
