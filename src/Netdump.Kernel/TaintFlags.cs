namespace Netdump.Kernel;

/// <summary>The taint flags of the kernel and of modules (include/linux/panic.h).</summary>
public static class TaintFlags
{
    // One for each bit, from bit 0.
    private const string Known = "PFSRMBUDAWCIOELKXTNJ";

    /// <summary>The letters of the bits that are set, in the order of the bits; <c>+</c> for bits that have none yet.</summary>
    public static string Letters(ulong flags)
    {
        Span<char> letters = stackalloc char[Known.Length + 1];
        var count = 0;
        for (var bit = 0; bit < Known.Length; bit++)
            if ((flags >> bit & 1) != 0)
                letters[count++] = Known[bit];
        if (flags >> Known.Length != 0)
            letters[count++] = '+';
        return new(letters[..count]);
    }
}
