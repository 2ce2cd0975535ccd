namespace Netdump.Vmcore.Filter;

/// <summary>Takes one block of pages of a selection.</summary>
/// <param name="firstPage">Page of bit 0 of the first word; a multiple of 64, higher than any page of the blocks before.</param>
/// <param name="keep">One bit a page (<see cref="Memory.PageBits"/>): set where the page is to be in the output. Valid during the call.</param>
public delegate void PageBlock(ulong firstPage, ReadOnlySpan<ulong> keep);

/// <summary>
/// Goes once through all pages of a dump and hands them out block by block in ascending order; pages that no block names are left out. A
/// writer may go through a selection twice (once for the bitmaps, once for the data), and each time must get the same bits. The writer
/// itself leaves out what is no memory or not in the source.
/// </summary>
/// <param name="block">Is called for each block, on the caller's thread.</param>
public delegate void PageSelection(PageBlock block);
