using Netdump.Vmcore.Codecs;

namespace Netdump.Vmcore.Output;

/// <summary>How a dump is to be written.</summary>
public sealed record WriteOptions
{
    /// <summary>How pages are stored in a kdump-compressed dump: zstd, zlib or none. An ELF core knows none but none.</summary>
    public PageCodec Codec { get; init; } = PageCodec.Zstd;

    /// <summary>The codec's level; 1 is makedumpfile's.</summary>
    public int Level { get; init; } = 1;

    /// <summary>The dump level that the selection stands for: goes into the header, and bit 1 leaves zero pages out of an ELF core.</summary>
    public int DumpLevel { get; init; }

    /// <summary>Threads that read and compress; the caller's own does it alone when it is 1.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Whether the source is mapped: for /proc/vmcore.</summary>
    public bool IsMapped { get; init; }

    /// <summary>Is told pages done and pages to do in all, now and then.</summary>
    public Action<ulong, ulong>? Progress { get; init; }
}

/// <summary>What was written.</summary>
/// <param name="MemoryPages">Pages that are memory.</param>
/// <param name="KeptPages">Pages whose bytes the output holds, zero pages included (but in an ELF core that leaves them out).</param>
/// <param name="ZeroPages">Pages that are zero: one shared page of the output, or left out of an ELF core.</param>
/// <param name="LostPages">Pages that should be there and could not be read from the source; the output is marked incomplete then.</param>
/// <param name="BytesWritten">Bytes handed to the output.</param>
public readonly record struct WrittenDump(ulong MemoryPages, ulong KeptPages, ulong ZeroPages, ulong LostPages, long BytesWritten);
