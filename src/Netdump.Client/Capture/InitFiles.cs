using Netdump.Client.Linux;

namespace Netdump.Client.Capture;

/// <summary>The file systems that pid 1 makes in the capture kernel's empty root.</summary>
internal static class InitFiles
{
    private static readonly (string Type, string Target, MountFlags Flags)[] FileSystems =
    [
        ("proc", "/proc", MountFlags.NoSetUserId | MountFlags.NoDevices | MountFlags.NoExecution),
        ("sysfs", "/sys", MountFlags.NoSetUserId | MountFlags.NoDevices | MountFlags.NoExecution),
        ("devtmpfs", "/dev", MountFlags.NoSetUserId),
        ("tmpfs", "/run", MountFlags.NoSetUserId | MountFlags.NoDevices),
        ("tmpfs", "/tmp", MountFlags.NoSetUserId | MountFlags.NoDevices),
    ];

    /// <summary>Mounts all of them; what fails is told afterwards, when there is a console.</summary>
    public static IReadOnlyList<string> Mount()
    {
        List<string> failures = [];
        foreach ((string type, string target, MountFlags flags) in FileSystems)
        {
            try
            {
                Directory.CreateDirectory(target);
                Mounts.Mount(type, target, type, flags);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                if (failure is not LinuxException { Error: Errno.Busy }) failures.Add(failure.Message);
            }
        }
        return failures;
    }

    /// <summary>
    /// Lets programs write to the kernel's log without its limit of ten lines in five seconds (sysctl kernel.printk_devkmsg). The value
    /// needs its newline: devkmsg_sysctl_set_loglvl() in kernel/printk refuses it without.
    /// </summary>
    /// <exception cref="IOException">printk.devkmsg= on the command line locks it.</exception>
    public static void LiftLogLimit() => File.WriteAllText("/proc/sys/kernel/printk_devkmsg", "on\n");

    /// <summary>
    /// Lets a connection hold at most 1 MiB that was not acknowledged yet, instead of 4: the kernel's memory, which is scarce here. That is 10 MB/s at a
    /// tenth of a second from the server.
    /// </summary>
    /// <exception cref="IOException">This kernel has no TCP.</exception>
    public static void BoundSendBuffers() => File.WriteAllText("/proc/sys/net/ipv4/tcp_wmem", "4096 65536 1048576\n");

    /// <summary>
    /// Lets each processor keep as few free pages to itself as it can (sysctl vm.percpu_pagelist_high_fraction). They would be some megabytes, and a
    /// kernel that has nothing to write back does not give them back before it kills.
    /// </summary>
    /// <exception cref="IOException">The kernel is older than 5.14.</exception>
    public static void BoundFreeLists() => File.WriteAllText("/proc/sys/vm/percpu_pagelist_high_fraction", "1000\n");
}
