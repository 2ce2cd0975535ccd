using System.Runtime.InteropServices;
using Netdump.Client.Linux;

namespace Netdump.Client.Confinement;

/// <summary>The promise that no program which this process starts gets more than it has (prctl(2)): the kernel asks it of those who are not root.</summary>
internal static partial class NewPrivileges
{
    private const int Option = 38; // PR_SET_NO_NEW_PRIVS

    /// <summary>Gives them up, for good; once more does no harm. Throws <see cref="LinuxException"/>.</summary>
    public static void GiveUp()
    {
        if (NativeControl(Option, 1, 0, 0, 0) != 0) throw LinuxException.Last("give up new privileges");
    }

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int NativeControl(int option, nint first, nint second, nint third, nint fourth);
}
