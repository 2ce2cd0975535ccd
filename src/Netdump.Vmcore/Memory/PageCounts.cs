namespace Netdump.Vmcore.Memory;

/// <summary>Pages of a dump by kind.</summary>
/// <param name="Memory">Pages that are memory, each counted once.</param>
/// <param name="Stored">Those whose bytes the file holds, zero pages included.</param>
/// <param name="Zero">Those of the stored that are the file's one zero page; null in an ELF core, which knows no such thing.</param>
/// <param name="LeftOut">Memory that a filter left out.</param>
/// <param name="Lost">Memory whose bytes should be in the file and are not.</param>
public readonly record struct PageCounts(ulong Memory, ulong Stored, ulong? Zero, ulong LeftOut, ulong Lost);
