namespace Netdump.Vmcore;

/// <summary>Machines by their number in an ELF header (e_machine) and their name in utsname.</summary>
public static class Machines
{
    /// <summary>Not known: the dump does not say.</summary>
    public const ushort Unknown = 0;

    /// <summary>32-bit x86 (EM_386).</summary>
    public const ushort I386 = 3;

    /// <summary>64-bit PowerPC, either byte order (EM_PPC64).</summary>
    public const ushort PowerPc64 = 21;

    /// <summary>IBM Z (EM_S390).</summary>
    public const ushort S390 = 22;

    /// <summary>32-bit ARM (EM_ARM).</summary>
    public const ushort Arm = 40;

    /// <summary>x86_64 (EM_X86_64).</summary>
    public const ushort X64 = 62;

    /// <summary>64-bit ARM (EM_AARCH64).</summary>
    public const ushort Arm64 = 183;

    /// <summary>RISC-V (EM_RISCV).</summary>
    public const ushort RiscV = 243;

    /// <summary>The name uname -m prints there, or the number when it is another machine.</summary>
    public static string NameOf(ushort machine) => machine switch
    {
        Unknown => "unknown",
        I386 => "i686",
        PowerPc64 => "ppc64",
        S390 => "s390x",
        Arm => "armv7l",
        X64 => "x86_64",
        Arm64 => "aarch64",
        RiscV => "riscv64",
        _ => $"machine {machine}",
    };

    /// <summary>The machine whose utsname says so; <see cref="Unknown"/> for another name.</summary>
    public static ushort ByName(string name) => name switch
    {
        "x86_64" => X64,
        "aarch64" or "aarch64_be" => Arm64,
        "ppc64" or "ppc64le" => PowerPc64,
        "s390x" or "s390" => S390,
        "riscv64" => RiscV,
        _ when name.Length == 4 && name[0] == 'i' && name.EndsWith("86", StringComparison.Ordinal) => I386,
        _ when name.StartsWith("arm", StringComparison.Ordinal) => Arm,
        _ => Unknown,
    };

    /// <summary>Whether the kernel's long has 8 bytes; null when the machine is not known.</summary>
    public static bool? HasLongWords(ushort machine) => machine switch
    {
        I386 or Arm => false,
        PowerPc64 or S390 or X64 or Arm64 or RiscV => true,
        _ => null,
    };
}
