namespace Netdump.Kernel.Code;

/// <summary>One instruction.</summary>
/// <param name="Address">Where it lies.</param>
/// <param name="Bytes">Its bytes in memory, which the kernel may have patched.</param>
/// <param name="Text">It in words, Intel's order of operands; null on arm64.</param>
/// <param name="IsCurrent">Whether the program counter points to it.</param>
public sealed record CodeLine(ulong Address, ReadOnlyMemory<byte> Bytes, string? Text, bool IsCurrent);

/// <summary>Memory that the instruction at the program counter reads or writes.</summary>
/// <param name="Address">First byte, from the registers; modulo 2^64.</param>
/// <param name="Size">Bytes; 0 when the instruction does not tell.</param>
/// <param name="IsWrite">Whether it writes there.</param>
/// <param name="Text">How the address comes about: <c>rax+0x18</c>.</param>
public readonly record struct MemoryOperand(ulong Address, int Size, bool IsWrite, string Text);
