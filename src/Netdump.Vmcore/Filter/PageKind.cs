namespace Netdump.Vmcore.Filter;

/// <summary>Why a filter leaves a page out; zero pages are not among them, since their content decides.</summary>
public enum PageKind
{
    /// <summary>It does not: the page is kept.</summary>
    Kept,

    /// <summary>Free: on a list of the buddy allocator, or memory of a guest that it never accepted (level 16).</summary>
    Free,

    /// <summary>Page cache without private data (levels 2 and 4).</summary>
    Cache,

    /// <summary>Page cache with private data (level 4).</summary>
    PrivateCache,

    /// <summary>Anonymous memory of processes, and hugetlb pages (level 8).</summary>
    User,

    /// <summary>The memory is broken: reading it may raise a machine check (every level).</summary>
    Poisoned,

    /// <summary>Taken from this machine, by a balloon or by memory hotplug (every level).</summary>
    Offline,
}

/// <summary>A class of pages that the dump level names and that is kept all the same.</summary>
/// <param name="Class">The class: <c>free</c>, <c>cache</c>, <c>private cache</c>, <c>user</c>, <c>hugetlb</c>, <c>poisoned</c>, <c>offline</c>.</param>
/// <param name="Reason">The key of VMCOREINFO that is missing (or of several that would do, all), or why there is nothing to go by.</param>
public readonly record struct KeptClass(string Class, string Reason)
{
    /// <summary>One line for a person.</summary>
    public override string ToString() => $"{Class} pages are kept: {Reason}";
}

/// <summary>What a walk over the page structures found, in pages whose bytes the source holds.</summary>
/// <param name="Free">See <see cref="PageKind.Free"/>.</param>
/// <param name="Cache">See <see cref="PageKind.Cache"/>.</param>
/// <param name="PrivateCache">See <see cref="PageKind.PrivateCache"/>.</param>
/// <param name="User">See <see cref="PageKind.User"/>.</param>
/// <param name="Poisoned">See <see cref="PageKind.Poisoned"/>.</param>
/// <param name="Offline">See <see cref="PageKind.Offline"/>.</param>
/// <param name="UnknownKind">Pages kept because their kernel gives them a type whose name it does not export.</param>
/// <param name="BadOrder">Free blocks kept because their size makes no sense.</param>
/// <param name="Unreadable">Pages kept because their page structures are not in the dump.</param>
public readonly record struct FilterCounts(
    ulong Free, ulong Cache, ulong PrivateCache, ulong User, ulong Poisoned, ulong Offline, ulong UnknownKind, ulong BadOrder, ulong Unreadable)
{
    /// <summary>All pages that are left out.</summary>
    public ulong Excluded => Free + Cache + PrivateCache + User + Poisoned + Offline;
}
