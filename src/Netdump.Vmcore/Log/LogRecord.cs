namespace Netdump.Vmcore.Log;

/// <summary>What is wrong with a record.</summary>
public enum RecordDamage
{
    /// <summary>Nothing: it is as the kernel wrote it.</summary>
    None,

    /// <summary>The end of its text is gone: other records, or nothing that is in the dump, lie there.</summary>
    Cut,

    /// <summary>All of its text is gone.</summary>
    Lost,

    /// <summary>Its writer never finished it: the text is what stood there when the kernel died.</summary>
    Uncommitted,
}

/// <summary>One record of the dead kernel's log.</summary>
/// <param name="Sequence">
/// The kernel's running number of the record; the same as in /dev/kmsg and extended netconsole. Kernels before 5.10 do not keep it with the
/// record: then it counts from 0 for the oldest that is still there.
/// </param>
/// <param name="Nanoseconds">Nanoseconds since boot.</param>
/// <param name="Facility">syslog facility, 0 for the kernel's own.</param>
/// <param name="Level">syslog level, 0 (emergency) to 7 (debug).</param>
/// <param name="Flags">Low five bits of the kernel's flags: 2 ends with a newline, 8 may be continued.</param>
/// <param name="CallerId">Thread id, or with bit 31 set the CPU's number.</param>
/// <param name="Text">The text without its final newline; any bytes, with newlines inside.</param>
/// <param name="Subsystem">Subsystem of the device the record speaks of, or null.</param>
/// <param name="Device">That device in the kernel's notation (<c>+pci:0000:00:03.0</c>), or null.</param>
public readonly record struct LogRecord(
    ulong Sequence, ulong Nanoseconds, byte Facility, byte Level, byte Flags, uint CallerId, ReadOnlyMemory<byte> Text,
    string? Subsystem, string? Device)
{
    private const uint ProcessorBit = 1u << 31;

    /// <summary>Whether the text is torn, and how.</summary>
    public RecordDamage Damage { get; init; }

    /// <summary>Whether this kernel says who printed a record (kernels before 5.10 do when built with PRINTK_CALLER).</summary>
    public bool HasCaller { get; init; }

    /// <summary>
    /// Whether the ring has a block for the text, be it an empty one: an empty line has one when its newline was printed, and else only a mark in the
    /// descriptor (NO_LPOS in kernel/printk/printk_ringbuffer.h).
    /// </summary>
    public bool HasBlock { get; init; }

    /// <summary>The thread that printed the record; null when a CPU did outside of any thread.</summary>
    public int? Thread => (CallerId & ProcessorBit) == 0 ? (int)CallerId : null;

    /// <summary>The CPU that printed the record outside of any thread; null when a thread did.</summary>
    public int? Processor => (CallerId & ProcessorBit) != 0 ? (int)(CallerId & ~ProcessorBit) : null;

    /// <summary>The caller in the kernel's notation: <c>T1</c> for a thread, <c>C0</c> for a CPU; null when the kernel does not say.</summary>
    public string? Caller => !HasCaller ? null : Processor is { } processor ? $"C{processor}" : $"T{Thread}";
}
