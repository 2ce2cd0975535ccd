using System.Text;

namespace Netdump.Client.Linux;

/// <summary>Device nodes: mknod(2).</summary>
public static class DeviceNodes
{
    /// <summary>Makes a character device node that only root may read and write.</summary>
    /// <param name="path">Where; nothing must be there.</param>
    /// <param name="major">Major number, below 4096.</param>
    /// <param name="minor">Minor number.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static unsafe void MakeCharacter(string path, uint major, uint minor)
    {
        const int Mode = 0x2000 | 0x180; // S_IFCHR, 0600
        const int CurrentDirectory = -100; // AT_FDCWD
        ulong device = (minor & 0xff) | ((major & 0xfff) << 8) | ((ulong)(minor & ~0xffu) << 12);
        byte[] text = Encoding.UTF8.GetBytes(path + '\0');
        fixed (byte* name = text)
        {
            if (SystemCall.Invoke(SystemCall.MakeNodeAt, CurrentDirectory, (nint)name, Mode, (nint)device, 0) != 0)
                throw LinuxException.Last($"mknod {path}");
        }
    }
}
