namespace Netdump.Vmcore.Memory;

/// <summary>What a dump says about one page frame, or what reading it brought.</summary>
public enum PageState
{
    /// <summary>Nothing describes it: a hole in physical memory.</summary>
    NotMemory,

    /// <summary>Its bytes are in the file.</summary>
    Present,

    /// <summary>Memory beyond p_filesz of an ELF core: zero or filtered, which cannot be told apart. Reads as zeros.</summary>
    NotInDump,

    /// <summary>Memory that the filter of a kdump-compressed file left out. Does not read.</summary>
    Excluded,

    /// <summary>Its bytes should be in the file, which was cut short or never finished. Does not read.</summary>
    Lost,

    /// <summary>What the file holds for it does not decode to a page. Does not read; told only by reading.</summary>
    Corrupt,
}

/// <summary>Pages from <paramref name="First"/> on.</summary>
/// <param name="First">Page frame number.</param>
/// <param name="Count">Pages.</param>
public readonly record struct PageRange(ulong First, ulong Count)
{
    /// <summary>First page behind the range.</summary>
    public ulong End => First + Count;
}
