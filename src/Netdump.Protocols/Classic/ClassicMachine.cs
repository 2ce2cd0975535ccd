namespace Netdump.Protocols.Classic;

/// <summary>The machines original clients run on: ELF machine numbers, byte order, sizes of register blocks (redhat-netdump 2.9, 2.10).</summary>
public static class ClassicMachine
{
    /// <summary>EM_386.</summary>
    public const uint I386 = 3;
    /// <summary>EM_PPC64.</summary>
    public const uint Ppc64 = 21;
    /// <summary>EM_IA_64.</summary>
    public const uint Ia64 = 50;
    /// <summary>EM_X86_64.</summary>
    public const uint X86_64 = 62;

    /// <summary>Bytes of text before the registers in a <see cref="ClassicReplyCode.Registers"/> reply.</summary>
    public const int RegisterTextLength = 23;

    /// <summary>No register block is longer than this; what is longer is not kept.</summary>
    public const int MaximumRegisters = 1024;

    /// <summary>True if an original client runs on this machine, so that a server can write its core file without help.</summary>
    public static bool IsKnown(uint machine) => machine is I386 or Ppc64 or Ia64 or X86_64;

    /// <summary>True if words of this machine (registers, its core file) are big-endian.</summary>
    public static bool IsBigEndian(uint machine) => machine == Ppc64;

    /// <summary>True if the core file of this machine has 64-bit headers.</summary>
    public static bool Is64Bit(uint machine) => machine != I386;

    /// <summary>True if a register block of this many bytes is one of this machine; for a machine that is not known, any bounded size is.</summary>
    public static bool AcceptsRegisters(uint machine, int bytes) => machine switch
    {
        I386 => bytes == 68,
        X86_64 => bytes == 216,
        Ppc64 => bytes == 384,
        Ia64 => bytes is 400 or 448, // RHEL 3 and RHEL 4
        _ => bytes is > 0 and <= MaximumRegisters,
    };
}
