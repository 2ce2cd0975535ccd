namespace Netdump.Kernel.Facts;

/// <summary>One reason why a kernel is tainted.</summary>
/// <param name="Bit">Its bit in the kernel's mask.</param>
/// <param name="Letter">The letter that the kernel prints for it.</param>
/// <param name="Words">What it means.</param>
public sealed record TaintFlag(int Bit, char Letter, string Words);

/// <summary>What tainted the kernel.</summary>
/// <param name="Mask">The kernel's mask (tainted_mask).</param>
/// <param name="Flags">The flags that are set. G, which stands for the absence of one, is none.</param>
public sealed record Taint(ulong Mask, IReadOnlyList<TaintFlag> Flags)
{
    private const int MostFlags = 64;

    // By bit (kernel/panic.c); letters come from the dump, which knows newer flags as well.
    private static readonly (char Letter, string Words)[] Known =
    [
        ('P', "proprietary module"), ('F', "module loaded by force"), ('S', "processor out of its specification"), ('R', "module unloaded by force"),
        ('M', "machine check"), ('B', "bad page"), ('U', "set by user space"), ('D', "the kernel had died before (oops or BUG)"),
        ('A', "ACPI table overridden"), ('W', "warning"), ('C', "staging driver"), ('I', "firmware bug worked around"), ('O', "out-of-tree module"),
        ('E', "unsigned module"), ('L', "soft lockup"), ('K', "live patch"), ('X', "auxiliary, set by the distribution"),
        ('T', "structures laid out at random"), ('N', "in-kernel test"), ('J', "fwctl debugging write"),
    ];

    /// <summary>Letters of a mask by the table of this program, in the order of the bits; <c>+</c> for bits that have none yet.</summary>
    public static string LettersOf(ulong mask)
    {
        Span<char> letters = stackalloc char[Known.Length + 1];
        var count = 0;
        for (var bit = 0; bit < Known.Length; bit++)
            if ((mask >> bit & 1) != 0)
                letters[count++] = Known[bit].Letter;
        if (mask >> Known.Length != 0)
            letters[count++] = '+';
        return new(letters[..count]);
    }

    /// <summary>The letters of the flags that are set; empty when there are none.</summary>
    public string Letters => string.Concat(Flags.Select(f => f.Letter));

    internal static Taint? Read(CrashedKernel kernel) => kernel.ReadLong("tainted_mask") is { } mask ? new Taint(mask, Read(kernel, mask)) : null;

    /// <summary>The flags of a mask, with the letters of this kernel; modules have masks of their own.</summary>
    public static IReadOnlyList<TaintFlag> Read(CrashedKernel kernel, ulong mask)
    {
        var flags = new List<TaintFlag>();
        var stride = kernel.Types?.SizeOf("taint_flag") ?? 0;
        var table = stride > 0 && kernel.TryFind("taint_flags", out var at) ? at : 0;
        for (var bit = 0; bit < MostFlags; bit++)
            if ((mask >> bit & 1) != 0)
            {
                var known = bit < Known.Length ? Known[bit] : ('?', "not known");
                if (table != 0 && kernel.Types!.At("taint_flag", table + (ulong)(bit * stride))["c_true"].Unsigned is >= 'A' and <= 'Z' and var letter)
                    known = (char)letter == known.Item1 ? known : ((char)letter, "not known");
                flags.Add(new TaintFlag(bit, known.Item1, known.Item2));
            }
        return flags;
    }
}
