using System.Diagnostics.CodeAnalysis;
using System.Numerics;

namespace Netdump.Server.Store;

/// <summary>
/// Where everything lies in a vmcore file: its header area, and every file position of each physical page.
/// A page may lie at several positions (a kernel's image is in /proc/vmcore twice) or at none (a hole of the address space).
/// </summary>
public sealed class VmcoreLayout
{
    /// <summary>Most file positions of one page. /proc/vmcore has two; a header that asks for more is refused, since every
    /// received page is written that often.</summary>
    public const int MaximumCopies = 4;

    private readonly Run[] _runs;
    private readonly long[] _bases;
    private int _last;

    private VmcoreLayout(ReadOnlyMemory<byte> header, uint pageSize, ulong pageCount, bool isKernelHeader, Run[] runs, long[] bases, long fileSize)
    {
        Header = header;
        PageSize = pageSize;
        PageCount = pageCount;
        IsKernelHeader = isKernelHeader;
        _runs = runs;
        _bases = bases;
        FileSize = fileSize;
    }

    /// <summary>The bytes at the start of the file, up to the first page or shorter (then zeros follow).</summary>
    public ReadOnlyMemory<byte> Header { get; }

    /// <summary>Bytes of one page.</summary>
    public uint PageSize { get; }

    /// <summary>Pages of the physical address space: one more than the highest page frame number.</summary>
    public ulong PageCount { get; }

    /// <summary>Whether the header is the client's own /proc/vmcore header (else the original server's layout).</summary>
    public bool IsKernelHeader { get; }

    /// <summary>Bytes of the complete file, holes included.</summary>
    public long FileSize { get; }

    /// <summary>Bytes of the pages that the file holds, each position counted: an upper bound of the disk space they take.</summary>
    public long PageBytes { get; private init; }

    /// <summary>Lays out a file, checking that pages stay in bounds.</summary>
    /// <param name="header">Bytes of the header area.</param>
    /// <param name="pageSize">Bytes of a page: a power of two of 1024 and more.</param>
    /// <param name="pageCount">Pages of the physical address space.</param>
    /// <param name="isKernelHeader">Whether the header came from the client.</param>
    /// <param name="chunks">Where pages lie, in any order.</param>
    /// <param name="layout">The layout.</param>
    /// <param name="reason">Why there is none.</param>
    public static bool TryCreate(
        ReadOnlyMemory<byte> header,
        uint pageSize,
        ulong pageCount,
        bool isKernelHeader,
        IReadOnlyList<VmcoreChunk> chunks,
        [NotNullWhen(true)] out VmcoreLayout? layout,
        [NotNullWhen(false)] out string? reason)
    {
        layout = null;
        if (pageSize < 1024 || !BitOperations.IsPow2(pageSize) || pageSize > 1 << 20)
            reason = $"a page size of {pageSize} bytes is not supported";
        else if (pageCount is 0 or > PageMap.MaximumPageCount)
            reason = $"a dump of {pageCount} pages is not supported";
        else
            reason = CheckChunks(header.Length, pageSize, pageCount, chunks);
        if (reason is not null)
            return false;

        (Run[] runs, long[] bases) = Overlay(chunks, pageSize, out int copies);
        if (copies > MaximumCopies)
        {
            reason = $"a page lies in the file {copies} times, at most {MaximumCopies} are accepted";
            return false;
        }

        long fileSize = header.Length, pageBytes = 0;
        foreach (VmcoreChunk chunk in chunks)
        {
            fileSize = Math.Max(fileSize, chunk.FileOffset + (long)(chunk.PageCount * pageSize));
            pageBytes += (long)(chunk.PageCount * pageSize);
        }

        layout = new VmcoreLayout(header, pageSize, pageCount, isKernelHeader, runs, bases, fileSize) { PageBytes = pageBytes };
        return true;
    }

    /// <summary>
    /// Every file position of a page is one of these values plus <c>pfn × page size</c>. Empty when the file does not hold the page.
    /// </summary>
    /// <param name="pfn">Page frame number.</param>
    public ReadOnlySpan<long> Positions(ulong pfn)
    {
        if (_runs.Length == 0)
            return [];
        // Pages come nearly in order: the run of the page before, or the one behind it, is nearly always right.
        ref readonly Run run = ref _runs[_last];
        if (pfn < run.First || pfn >= run.End)
        {
            int index = Find(pfn);
            if (index < 0)
                return [];
            _last = index;
            run = ref _runs[index];
        }

        return _bases.AsSpan(run.Base, run.Count);
    }

    private int Find(ulong pfn)
    {
        int low = 0, high = _runs.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (pfn < _runs[middle].First)
                high = middle - 1;
            else if (pfn >= _runs[middle].End)
                low = middle + 1;
            else
                return middle;
        }

        return -1;
    }

    private static string? CheckChunks(int headerBytes, uint pageSize, ulong pageCount, IReadOnlyList<VmcoreChunk> chunks)
    {
        long limit = headerBytes + (long)(MaximumCopies * pageCount * pageSize);
        long end = headerBytes;
        foreach (VmcoreChunk chunk in chunks.OrderBy(chunk => chunk.FileOffset))
        {
            if (chunk.PageCount == 0)
                return "a memory segment is empty";
            if (chunk.FirstPfn >= pageCount || chunk.PageCount > pageCount - chunk.FirstPfn)
                return $"a memory segment ends past the last of {pageCount} pages";
            if (chunk.FileOffset < end)
                return $"a memory segment at file offset {chunk.FileOffset} overlaps what lies before it";
            if (chunk.FileOffset > limit || (long)(chunk.PageCount * pageSize) > limit - chunk.FileOffset)
                return $"the file would be larger than {limit} bytes";
            end = chunk.FileOffset + (long)(chunk.PageCount * pageSize);
        }

        return null;
    }

    /// <summary>Cuts the address space where a chunk begins or ends, so that all pages of a run lie in the same chunks.</summary>
    private static (Run[] Runs, long[] Bases) Overlay(IReadOnlyList<VmcoreChunk> chunks, uint pageSize, out int copies)
    {
        var edges = new SortedSet<ulong>();
        foreach (VmcoreChunk chunk in chunks)
        {
            edges.Add(chunk.FirstPfn);
            edges.Add(chunk.FirstPfn + chunk.PageCount);
        }

        VmcoreChunk[] byPage = [.. chunks.OrderBy(chunk => chunk.FirstPfn)];
        var open = new List<VmcoreChunk>();
        var runs = new List<Run>();
        var bases = new List<long>();
        copies = 0;
        int next = 0;
        ulong previous = 0;
        foreach (ulong edge in edges)
        {
            if (open.Count != 0)
            {
                runs.Add(new Run(previous, edge, bases.Count, open.Count));
                foreach (VmcoreChunk chunk in open)
                    bases.Add(chunk.FileOffset - (long)(chunk.FirstPfn * pageSize));
            }

            open.RemoveAll(chunk => chunk.FirstPfn + chunk.PageCount <= edge);
            for (; next < byPage.Length && byPage[next].FirstPfn == edge; next++)
                open.Add(byPage[next]);
            copies = Math.Max(copies, open.Count);
            if (copies > MaximumCopies)
                break;
            previous = edge;
        }

        return ([.. runs], [.. bases]);
    }

    private readonly record struct Run(ulong First, ulong End, int Base, int Count);
}
