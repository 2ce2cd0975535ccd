namespace Netdump.Server.Store;

/// <summary>A run of physical pages that lies in one piece in a vmcore file.</summary>
/// <param name="FirstPfn">First page frame number.</param>
/// <param name="PageCount">Number of pages.</param>
/// <param name="FileOffset">File offset of the first page, in bytes.</param>
public readonly record struct VmcoreChunk(ulong FirstPfn, ulong PageCount, long FileOffset);
