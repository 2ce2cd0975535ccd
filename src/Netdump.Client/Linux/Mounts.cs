using System.Runtime.InteropServices;

namespace Netdump.Client.Linux;

/// <summary>Flags of mount(2) (include/uapi/linux/mount.h).</summary>
[Flags]
public enum MountFlags : uint
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>MS_NOSUID.</summary>
    NoSetUserId = 2,

    /// <summary>MS_NODEV.</summary>
    NoDevices = 4,

    /// <summary>MS_NOEXEC.</summary>
    NoExecution = 8,
}

/// <summary>mount(2).</summary>
public static partial class Mounts
{
    /// <summary>Mounts a file system.</summary>
    /// <param name="source">Device or name shown in /proc/mounts.</param>
    /// <param name="target">An existing directory.</param>
    /// <param name="type">File system, for example <c>proc</c>.</param>
    /// <param name="flags">Flags.</param>
    /// <param name="data">Options of the file system, or null.</param>
    /// <exception cref="LinuxException">The kernel refused; EBUSY when it is mounted there already.</exception>
    public static void Mount(string source, string target, string type, MountFlags flags = MountFlags.None, string? data = null)
    {
        if (NativeMount(source, target, type, (nuint)flags, data) != 0) throw LinuxException.Last($"mount {type} on {target}");
    }

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int NativeMount(string source, string target, string type, nuint flags, string? data);
}
