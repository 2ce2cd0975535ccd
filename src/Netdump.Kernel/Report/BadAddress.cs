using System.Buffers.Binary;

namespace Netdump.Kernel.Report;

/// <summary>What a bad address tells, in words: a null pointer with an offset, a freed object, a list entry removed twice.</summary>
/// <remarks>Values: include/linux/poison.h, include/linux/err.h, include/linux/timer.h; the pages below mmap_min_addr are never mapped.</remarks>
public static class BadAddress
{
    private const ulong PageSize = 4096;
    private const ulong Reach = 4096; // of a member behind a poisoned pointer

    private static readonly (ulong Value, string Id, string Words)[] Poisons =
    [
        (0xdead_0000_0000_0100, "fault-poison", "LIST_POISON1: the entry was removed from its list before"),
        (0xdead_0000_0000_0122, "fault-poison", "LIST_POISON2: the entry was removed from its list before"),
        (0xdead_0000_0000_0200, "fault-poison", "LIST_POISON2 of older kernels: the entry was removed from its list before"),
        (0xdead_0000_0000_0300, "fault-poison", "TIMER_ENTRY_STATIC: a timer that was never added"),
        (0xdead_0000_0000_0400, "fault-poison", "TAIL_MAPPING: the mapping of a tail page"),
    ];

    private static readonly (byte Pattern, string Words)[] Fills =
    [
        (0x6b, "a freed slab object (POISON_FREE)"),
        (0x5a, "a slab object that was never set (POISON_INUSE)"),
        (0xa5, "the end of a slab object (POISON_END)"),
        (0xbb, "the red zone of a free slab object"),
        (0xcc, "the red zone of a slab object in use, or freed init memory (POISON_FREE_INITMEM)"),
        (0xaa, "a free page (PAGE_POISON)"),
        (0xa6, "a dead per-CPU or pool object"),
    ];

    // ERR_PTR of these is common in the kernel (asm-generic/errno-base.h, errno.h).
    private static readonly string[] Errors =
    [
        "", "EPERM", "ENOENT", "ESRCH", "EINTR", "EIO", "ENXIO", "E2BIG", "ENOEXEC", "EBADF", "ECHILD", "EAGAIN", "ENOMEM", "EACCES", "EFAULT",
        "ENOTBLK", "EBUSY", "EEXIST", "EXDEV", "ENODEV", "ENOTDIR", "EISDIR", "EINVAL", "ENFILE", "EMFILE", "ENOTTY", "ETXTBSY", "EFBIG", "ENOSPC",
        "ESPIPE", "EROFS", "EMLINK", "EPIPE", "EDOM", "ERANGE", "EDEADLK",
    ];

    /// <summary>Names what an address is that should not have been used.</summary>
    /// <param name="address">The address.</param>
    /// <param name="canonicalBits">Bits of a virtual address: 48, or 57 with five levels of page tables.</param>
    /// <returns>The finding it is (docs/report.md), and words that follow "the address is"; null for an address nothing is known of.</returns>
    public static (string Id, string Words)? Of(ulong address, int canonicalBits = 48)
    {
        if (address < PageSize)
            return ("fault-null", address == 0 ? "a null pointer" : $"0x{address:x} bytes into a null pointer");
        if (address > ulong.MaxValue - PageSize + 1)
        {
            var error = (int)(0 - address);
            return ("fault-error-pointer", $"an error code taken for a pointer (-{error}{(error < Errors.Length ? $", {Errors[error]}" : "")})"
                + ", or a negative offset to a null pointer");
        }
        foreach (var (value, id, words) in Poisons)
            if (address == value)
                return (id, words);
        if (FillOf(address) is { } fill)
            return ("fault-poison", $"read out of {fill}");
        foreach (var (value, id, words) in Poisons)
            if (address - value < Reach || value - address < 256)
                return (id, $"near {words}");
        if (!IsCanonical(address, canonicalBits))
            return ("fault-noncanonical", TextOf(address) is { } text ? $"no address at all, but the text \"{text}\": memory was overwritten with text"
                : "no address at all: the pointer was overwritten, or never one");
        return null;
    }

    /// <summary>Whether the bits above those that are translated repeat the highest of them.</summary>
    public static bool IsCanonical(ulong address, int bits) => unchecked((long)address << (64 - bits) >> (64 - bits)) == unchecked((long)address);

    // Six equal bytes of the upper seven: the low ones carry a member's offset.
    private static string? FillOf(ulong address)
    {
        foreach (var (pattern, words) in Fills)
        {
            ulong all = pattern * 0x0101_0101_0101_0101UL;
            if (address - all < Reach || all - address < Reach)
                return words;
        }
        return null;
    }

    private static string? TextOf(ulong address)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, address);
        foreach (var b in bytes)
            if (b is < 0x20 or > 0x7e)
                return null;
        return string.Concat(bytes.ToArray().Select(b => (char)b));
    }
}
