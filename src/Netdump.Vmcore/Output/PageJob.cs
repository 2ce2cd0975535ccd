using System.Runtime.ExceptionServices;

namespace Netdump.Vmcore.Output;

/// <summary>A few pages on their way through the pipeline, with room for their encoded bytes. Reused for ever.</summary>
internal sealed class PageJob
{
    /// <summary>Bytes of pages in one job: long enough that passing it on costs nothing, short enough to have many.</summary>
    private const int BytesOfPages = 256 << 10;

    public PageJob(int pageSize)
    {
        Pages = new ulong[Math.Max(1, BytesOfPages / pageSize)];
        Sizes = new int[Pages.Length];
        Data = GC.AllocateUninitializedArray<byte>((Pages.Length + 1) * pageSize);
    }

    /// <summary>A size that stands for a page of zeros.</summary>
    public const int Zero = 0;

    /// <summary>A size that stands for a page that could not be read.</summary>
    public const int Lost = -1;

    /// <summary>Page frame numbers, ascending.</summary>
    public ulong[] Pages { get; }

    public int Count { get; set; }

    public bool IsFull => Count == Pages.Length;

    /// <summary>Encoded bytes of each page, a whole page's when it is stored as it is; or <see cref="Zero"/> or <see cref="Lost"/>.</summary>
    public int[] Sizes { get; }

    /// <summary>The encoded bytes of all pages, one behind the other.</summary>
    public byte[] Data { get; }

    public int DataLength { get; set; }

    /// <summary>Why the pages could not be worked on.</summary>
    public ExceptionDispatchInfo? Failure { get; set; }

    public bool IsDone { get; set; }
}
