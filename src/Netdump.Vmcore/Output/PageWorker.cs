using Netdump.Vmcore.Codecs;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Output;

/// <summary>Reads and encodes the pages of jobs. For one thread; allocates nothing for a page.</summary>
internal sealed class PageWorker(PhysicalMemory memory, WriteOptions options) : IDisposable
{
    private readonly PageReader _reader = memory.OpenReader(options.IsMapped);
    private readonly PageEncoder _encoder = new(options.Codec, options.Level);

    public void Process(PageJob job)
    {
        var at = 0;
        for (var i = 0; i < job.Count; i++)
        {
            if (_reader.Read(job.Pages[i], out var bytes) is not (PageState.Present or PageState.NotInDump))
            {
                job.Sizes[i] = PageJob.Lost;
                continue;
            }
            if (ZeroPage.IsZero(bytes))
            {
                job.Sizes[i] = PageJob.Zero;
                continue;
            }
            var size = _encoder.Encode(bytes, job.Data.AsSpan(at));
            if (size == 0)
            {
                bytes.CopyTo(job.Data.AsSpan(at));
                size = bytes.Length;
            }
            job.Sizes[i] = size;
            at += size;
        }
        job.DataLength = at;
    }

    public void Dispose()
    {
        _reader.Dispose();
        _encoder.Dispose();
    }
}
