namespace Netdump.Vmcore.Memory;

/// <summary>Reads memory at an address.</summary>
/// <param name="address">First byte.</param>
/// <param name="destination">Is filled from its start.</param>
/// <returns>Bytes read: fewer than asked when a page behind them is not there.</returns>
public delegate int MemoryReader(ulong address, Span<byte> destination);

/// <summary>Maps memory at an address.</summary>
/// <param name="address">First byte.</param>
/// <param name="length">How many.</param>
/// <returns>Null where that cannot be.</returns>
public delegate MemoryView? MemoryMapper(ulong address, int length);

/// <summary>The dumped machine's physical memory, whatever the file's format. Any number of threads may read.</summary>
/// <remarks>A page that is not there is an ordinary result (<see cref="PageState"/>), never an exception.</remarks>
public abstract class PhysicalMemory : IDisposable
{
    /// <summary>Sets the size of a page.</summary>
    /// <param name="pageSize">Bytes, a power of two.</param>
    protected PhysicalMemory(int pageSize) => PageSize = pageSize;

    /// <summary>Bytes of a page, a power of two.</summary>
    public int PageSize { get; }

    /// <summary>Highest page that may be memory, plus one; 0 when there is none.</summary>
    public abstract ulong EndPage { get; }

    /// <summary>How many pages are memory, each counted once. A kdump-compressed file counts its bitmap for it.</summary>
    public abstract ulong PageCount { get; }

    /// <summary>Counts pages by kind. A kdump-compressed dump's bitmaps and table of pages are read for it, once.</summary>
    /// <exception cref="IOException">The disk failed.</exception>
    public abstract PageCounts CountPages();

    /// <summary>Pages that are memory, ascending and disjoint; found while they are asked for.</summary>
    public virtual IEnumerable<PageRange> Ranges => RangesOf(CopyMemoryBits);

    /// <summary>
    /// Pages of which the dump holds the bytes, ascending and disjoint; found while they are asked for. What goes through all of memory goes through
    /// these: headers may claim any amount of memory, but the file has as much as it has.
    /// </summary>
    public virtual IEnumerable<PageRange> HeldRanges => RangesOf(CopyStoredBits);

    /// <summary>What the dump says about a page frame, without decoding it.</summary>
    /// <exception cref="IOException">The disk failed.</exception>
    public abstract PageState StateOf(ulong page);

    /// <summary>Which pages are memory, one bit a page.</summary>
    /// <param name="firstPage">Page of bit 0 of the first word; a multiple of 64.</param>
    /// <param name="bits">Are set or cleared, all of them.</param>
    /// <exception cref="IOException">The disk failed.</exception>
    public abstract void CopyMemoryBits(ulong firstPage, Span<ulong> bits);

    /// <summary>
    /// Of which pages the dump holds the bytes, one bit a page; pages that were lost with the file's end count among them, pages that a
    /// filter left out do not.
    /// </summary>
    /// <param name="firstPage">Page of bit 0 of the first word; a multiple of 64.</param>
    /// <param name="bits">Are set or cleared, all of them.</param>
    /// <exception cref="IOException">The disk failed.</exception>
    public abstract void CopyStoredBits(ulong firstPage, Span<ulong> bits);

    /// <summary>Opens a reader for whole pages in ascending order: the fast way through memory. One for each thread.</summary>
    /// <param name="mapped">Map the file: for /proc/vmcore, which is slow to read. Files that may be cut short meanwhile must not be mapped.</param>
    public abstract PageReader OpenReader(bool mapped = false);

    /// <summary>Reads bytes of one page.</summary>
    /// <param name="page">Page frame number.</param>
    /// <param name="inPage">Where in the page to begin.</param>
    /// <param name="part">Is filled when the state is Present or NotInDump (then with zeros); may not go beyond the page.</param>
    /// <exception cref="IOException">The disk failed.</exception>
    public abstract PageState ReadInPage(ulong page, int inPage, Span<byte> part);

    /// <summary>Maps a piece of memory that lies in the file as it is, in one piece.</summary>
    /// <param name="address">First byte.</param>
    /// <param name="length">How many.</param>
    /// <returns>Null where that is not so, and for every dump that was not opened to be mapped (<see cref="VmcoreFile.OpenMapped"/>).</returns>
    public virtual MemoryView? Map(ulong address, int length) => null;

    /// <summary>Reads physical memory; memory an ELF core left out reads as zeros (<see cref="StateOf"/> tells).</summary>
    /// <returns>Bytes read: fewer than asked when the next page is not there.</returns>
    /// <exception cref="IOException">The disk failed.</exception>
    public int Read(ulong address, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length)
        {
            var at = unchecked(address + (ulong)done);
            if (at < address)
                break; // wrapped at 2^64
            var inPage = (int)(at & (ulong)(PageSize - 1));
            var part = destination.Slice(done, Math.Min(destination.Length - done, PageSize - inPage));
            if (ReadInPage(at / (ulong)PageSize, inPage, part) is not (PageState.Present or PageState.NotInDump))
                break;
            done += part.Length;
        }
        return done;
    }

    /// <inheritdoc/>
    public abstract void Dispose();

    private delegate void BitsReader(ulong firstPage, Span<ulong> bits);

    private IEnumerable<PageRange> RangesOf(BitsReader copy)
    {
        var bits = new ulong[1024];
        var (first, count) = (0UL, 0UL);
        for (var block = 0UL; block < EndPage; block += (ulong)bits.Length * 64)
        {
            copy(block, bits);
            for (var i = 0; i < bits.Length * 64; i++)
            {
                if (count == 0 && i % 64 == 0 && bits[i / 64] == 0)
                    i += 63;
                else if (PageBits.Test(bits, i))
                    (first, count) = count == 0 ? (block + (ulong)i, 1) : (first, count + 1);
                else if (count > 0)
                {
                    yield return new PageRange(first, count);
                    count = 0;
                }
            }
        }
        if (count > 0)
            yield return new PageRange(first, count);
    }
}

/// <summary>Reads whole pages, in ascending order at best. For one thread.</summary>
public abstract class PageReader : IDisposable
{
    /// <summary>Reads one page.</summary>
    /// <param name="page">Page frame number; any, but ascending ones are fast.</param>
    /// <param name="bytes">The page when the state is Present or NotInDump (zeros), else empty; valid until the next call.</param>
    /// <exception cref="IOException">The disk failed.</exception>
    public abstract PageState Read(ulong page, out ReadOnlySpan<byte> bytes);

    /// <inheritdoc/>
    public abstract void Dispose();
}
