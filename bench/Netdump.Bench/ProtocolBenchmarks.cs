using BenchmarkDotNet.Attributes;
using Netdump.Protocols;
using Netdump.Protocols.Classic;
using Netdump.Protocols.NetConsole;

namespace Netdump.Bench;

/// <summary>What one datagram costs before it reaches the disk; the allocated column must stay at nothing.</summary>
[MemoryDiagnoser]
public class ProtocolBenchmarks
{
    private static readonly byte[] Record =
        "6.12.9-x,6,600,99000200,-,caller=T45;foo_poll+0x26/0x40 [foo] and about as much text as a usual line has\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:03.0\n"u8.ToArray();

    private readonly byte[] _chunk = new byte[ClassicReplyHeader.Size + ClassicReplyHeader.ChunkSize];

    /// <summary>Makes a page's chunk as a client sends it.</summary>
    [GlobalSetup]
    public void Setup() => new ClassicReplyHeader(5, 77, ClassicReplyCode.Memory, 1024).Write(_chunk);

    /// <summary>Which dialect a chunk of memory is.</summary>
    [Benchmark]
    public DatagramDialect ClassifyMemory() => Dialects.Classify(_chunk, continuesBasic: false);

    /// <summary>Which dialect a console record is.</summary>
    [Benchmark]
    public DatagramDialect ClassifyRecord() => Dialects.Classify(Record, continuesBasic: false);

    /// <summary>Header, release, caller and dictionary of a console record.</summary>
    [Benchmark]
    public ulong ParseRecord() => ExtendedRecord.TryParse(Record, out ExtendedRecord record) ? record.Sequence : 0;
}
