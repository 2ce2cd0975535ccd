using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Log;

/// <summary>The kernel's log as it lies in a dump.</summary>
public static class KernelLog
{
    /// <summary>The most bytes <see cref="Read"/> collects, records counted with <see cref="RecordCost"/> each; the kernel's default ring has 2^17.</summary>
    public const long MaximumBytes = 256 << 20;

    private const int RecordCost = 128;

    /// <summary>Reads all records of the lockless ring (kernel 5.10 and later) into a list, oldest first.</summary>
    /// <param name="memory">The kernel's virtual memory.</param>
    /// <param name="info">The kernel's VMCOREINFO.</param>
    /// <exception cref="VmcoreFormatException">VMCOREINFO lacks a key of the ring, the ring's own description is not in the dump or makes no sense, or it holds more than <see cref="MaximumBytes"/>.</exception>
    public static IReadOnlyList<LogRecord> Read(MemoryReader memory, VmcoreInfo info)
    {
        var records = new List<LogRecord>();
        var left = MaximumBytes;
        foreach (var record in Open(memory, info).Records())
        {
            left -= record.Text.Length + RecordCost;
            if (left < 0)
                throw new VmcoreFormatException(-1, $"the log ring claims more than {MaximumBytes} bytes");
            records.Add(record);
        }
        return records;
    }

    /// <summary>Finds the lockless ring, to go through its records one by one in little memory.</summary>
    /// <inheritdoc cref="Read" path="/param"/>
    /// <exception cref="VmcoreFormatException">VMCOREINFO lacks a key of the ring, or its description is not in the dump or makes no sense.</exception>
    public static LogRing Open(MemoryReader memory, VmcoreInfo info) => new(memory, info);
}
