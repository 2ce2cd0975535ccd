using System.Runtime.InteropServices;

namespace Netdump.Client.Linux;

/// <summary>
/// Calls for which the C library has no function on all releases we run on; by number, which differs between x86_64
/// (arch/x86/entry/syscalls/syscall_64.tbl) and arm64 (include/uapi/asm-generic/unistd.h).
/// </summary>
internal static partial class SystemCall
{
    private static readonly bool Arm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    /// <summary>finit_module.</summary>
    public static nint LoadModule => Arm ? 273 : 313;

    /// <summary>kexec_file_load.</summary>
    public static nint KexecFileLoad => Arm ? 294 : 320;

    /// <summary>mknodat.</summary>
    public static nint MakeNodeAt => Arm ? 33 : 259;

    /// <summary>seccomp.</summary>
    public static nint Seccomp => Arm ? 277 : 317;

    /// <summary>landlock_create_ruleset.</summary>
    public const int LandlockCreate = 444;

    /// <summary>landlock_add_rule.</summary>
    public const int LandlockAdd = 445;

    /// <summary>landlock_restrict_self.</summary>
    public const int LandlockRestrict = 446;

    /// <summary>syscall(2) with up to five words; -1 and the thread's last error on failure.</summary>
    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    public static partial nint Invoke(nint number, nint first, nint second, nint third, nint fourth, nint fifth);
}
