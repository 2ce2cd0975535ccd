using System.Collections;
using System.Globalization;
using System.Numerics;

namespace Netdump.Kernel.Symbols;

/// <summary>A set of CPU numbers, ascending (struct cpumask).</summary>
public sealed class ProcessorSet : IReadOnlyCollection<int>
{
    /// <summary>The most CPUs that Linux can be built for on the machines that are read.</summary>
    public const int Maximum = 8192;

    private readonly ulong[] _bits;

    /// <summary>A set from a mask.</summary>
    /// <param name="bits">The mask's words, CPU 0 in the lowest bit of the first.</param>
    public ProcessorSet(params ReadOnlySpan<ulong> bits)
    {
        _bits = bits.ToArray();
        foreach (var word in _bits)
            Count += BitOperations.PopCount(word);
    }

    /// <summary>How many CPUs are in the set.</summary>
    public int Count { get; }

    /// <summary>Whether a CPU is in the set.</summary>
    public bool Contains(int cpu) => cpu >= 0 && cpu / 64 < _bits.Length && (_bits[cpu / 64] >> cpu % 64 & 1) != 0;

    /// <summary>The numbers, ascending.</summary>
    public IEnumerator<int> GetEnumerator()
    {
        for (var word = 0; word < _bits.Length; word++)
            for (var left = _bits[word]; left != 0; left &= left - 1)
                yield return word * 64 + BitOperations.TrailingZeroCount(left);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The set as the kernel writes it: <c>0-3,8</c>.</summary>
    public override string ToString()
    {
        var text = new List<string>();
        for (var cpu = 0; cpu < _bits.Length * 64; cpu++)
        {
            if (!Contains(cpu))
                continue;
            var first = cpu;
            while (Contains(cpu + 1))
                cpu++;
            text.Add(first == cpu ? first.ToString(CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{first}-{cpu}"));
        }
        return string.Join(',', text);
    }
}
