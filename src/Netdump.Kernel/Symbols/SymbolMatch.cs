namespace Netdump.Kernel.Symbols;

/// <summary>The symbol that an address belongs to.</summary>
/// <param name="Start">Address of the symbol.</param>
/// <param name="Size">Bytes to the next symbol that has another address, which is how the kernel counts.</param>
/// <param name="Name">The first of the names at <paramref name="Start"/>.</param>
/// <param name="Module">Name of the module it is part of; null for the kernel image.</param>
public readonly record struct SymbolMatch(ulong Start, ulong Size, string Name, string? Module);

/// <summary>One line of /proc/kallsyms.</summary>
/// <param name="Address">Run-time address; per-CPU and absolute symbols before 6.15 have small numbers.</param>
/// <param name="Letter">The type as nm names it. Since 6.17 data can have <c>T</c>, so it never tells whether something is code.</param>
/// <param name="Name">The name.</param>
/// <param name="Module">Name of the module; null for the kernel image.</param>
public readonly record struct KernelSymbol(ulong Address, char Letter, string Name, string? Module);
