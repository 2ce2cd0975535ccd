using Netdump.Client.Send;
using Netdump.Vmcore.Tests;

namespace Netdump.Client.Tests.Send;

/// <summary>A synthetic dump on disk for one test: memory with a hole, a partial page, a log, registers.</summary>
internal sealed class DumpFile : IDisposable
{
    public DumpFile(int morePages = 40, int records = 30, bool packed = false)
    {
        Log = [.. Enumerable.Range(0, records).Select(i => $"record {i} of the dead kernel")];
        var core = SyntheticDump.Core(packed, Log);
        var more = new byte[morePages * 4096 - 0x400];
        new Random(morePages).NextBytes(more);
        more.AsSpan(4096, 2 * 4096).Clear();
        core.AddMemory(0x100000, more);
        Bytes = core.Build();
        File.WriteAllBytes(Path, Bytes);
        Source = DumpSource.Open(Path);
    }

    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), System.IO.Path.GetRandomFileName());

    public string[] Log { get; }

    public byte[] Bytes { get; }

    public DumpSource Source { get; }

    /// <summary>Physical memory from 0 to its end, holes as zeros.</summary>
    public byte[] Memory()
    {
        var memory = new byte[Source.File.Physical.EndPage * (ulong)Source.PageSize];
        foreach (var range in Source.Pages)
        {
            var part = memory.AsSpan((int)range.First * Source.PageSize, (int)range.Count * Source.PageSize);
            Assert.Equal(part.Length, Source.File.Physical.Read(range.First * (ulong)Source.PageSize, part));
        }
        return memory;
    }

    public void Dispose()
    {
        Source.Dispose();
        File.Delete(Path);
    }
}
