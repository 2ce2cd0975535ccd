namespace Netdump.Kernel.Modules;

/// <summary>A place in the code that reports a bug or a warning (struct bug_entry).</summary>
/// <param name="Entry">Address of the entry.</param>
/// <param name="Address">Address of the code.</param>
/// <param name="File">The source file, as the compiler named it; null when it cannot be read.</param>
/// <param name="Line">The line in it.</param>
/// <param name="Flags">BUGFLAG_*, with a taint flag's number above.</param>
/// <param name="Format">The warning's format string, since 6.19; null when it has none.</param>
/// <param name="Module">The module the code is part of; null for the kernel image.</param>
public readonly record struct BugEntry(ulong Entry, ulong Address, string? File, int Line, ushort Flags, string? Format, string? Module)
{
    private const ushort WarningFlag = 1;
    private const ushort OnceFlag = 2;
    private const ushort DoneFlag = 4;
    private const ushort ArgumentsFlag = 0x10;

    /// <summary>Whether it is a WARN, after which the kernel goes on, and no BUG.</summary>
    public bool IsWarning => (Flags & WarningFlag) != 0;

    /// <summary>Whether it reports only once.</summary>
    public bool IsOnce => (Flags & OnceFlag) != 0;

    /// <summary>Whether it has reported already.</summary>
    public bool IsDone => (Flags & DoneFlag) != 0;

    /// <summary>Whether its code calls __WARN_trap instead of having a trapping instruction of its own (since 6.19).</summary>
    public bool HasArguments => (Flags & ArgumentsFlag) != 0;

    /// <summary>Number of the taint flag it sets.</summary>
    public int Taint => Flags >> 8;
}
