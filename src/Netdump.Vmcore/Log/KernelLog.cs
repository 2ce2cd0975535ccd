using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Log;

/// <summary>The kernel's log as it lies in a dump: the lockless ring of kernel 5.10 and later, or the buffer of records before it (3.5 to 5.9).</summary>
public abstract class KernelLog
{
    /// <summary>The most bytes <see cref="Read"/> collects, records counted with <see cref="RecordCost"/> each; the kernel's default ring has 2^17.</summary>
    public const long MaximumBytes = 256 << 20;

    private const int RecordCost = 128;

    /// <summary>Goes through the records, oldest first. One whose text is torn comes marked (<see cref="LogRecord.Damage"/>).</summary>
    /// <param name="uncommitted">Whether records that their writer never finished come too, with what it had written.</param>
    public abstract IEnumerable<LogRecord> Records(bool uncommitted = false);

    /// <summary>Reads all records into a list, oldest first.</summary>
    /// <param name="memory">The kernel's virtual memory.</param>
    /// <param name="info">The kernel's VMCOREINFO.</param>
    /// <exception cref="VmcoreFormatException">VMCOREINFO lacks a key of the log, its description is not in the dump or makes no sense, or it holds more than <see cref="MaximumBytes"/>.</exception>
    public static IReadOnlyList<LogRecord> Read(MemoryReader memory, VmcoreInfo info)
    {
        var records = new List<LogRecord>();
        var left = MaximumBytes;
        foreach (var record in Open(memory, info).Records())
        {
            left -= record.Text.Length + RecordCost;
            if (left < 0)
                throw new VmcoreFormatException(-1, $"the log claims more than {MaximumBytes} bytes");
            records.Add(record);
        }
        return records;
    }

    /// <summary>Finds the log, to go through its records one by one in little memory.</summary>
    /// <inheritdoc cref="Read" path="/param"/>
    /// <exception cref="VmcoreFormatException">VMCOREINFO lacks a key of the log, or its description is not in the dump or makes no sense.</exception>
    public static KernelLog Open(MemoryReader memory, VmcoreInfo info)
    {
        if (info.Symbol("prb") is not null)
            return new LogRing(memory, info);
        return info.Symbol("log_buf") is not null ? new LogBuffer(memory, info) : throw Missing("SYMBOL(prb), and no SYMBOL(log_buf) of older kernels");
    }

    internal static VmcoreFormatException Missing(string key) => new(-1, $"VMCOREINFO has no {key}: the kernel's log cannot be found");
}
