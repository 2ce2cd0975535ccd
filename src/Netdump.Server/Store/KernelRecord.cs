namespace Netdump.Server.Store;

/// <summary>A record read from a dump's kernel log.</summary>
/// <param name="Sequence">Its number.</param>
/// <param name="Microseconds">printk time.</param>
/// <param name="Text">Raw text, inner newlines included.</param>
public readonly record struct KernelRecord(ulong Sequence, ulong Microseconds, ReadOnlyMemory<byte> Text);
