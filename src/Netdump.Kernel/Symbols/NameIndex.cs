namespace Netdump.Kernel.Symbols;

/// <summary>Finds numbered names by their hashes, without keeping the names: chains through two arrays.</summary>
internal sealed class NameIndex
{
    private readonly int[] _heads;
    private readonly uint[] _next;
    private readonly int _shift;

    /// <summary>Builds the index.</summary>
    /// <param name="hashes">The hash of each name (<see cref="TokenTable.Hash(ReadOnlySpan{byte})"/>); the array becomes part of the index.</param>
    public NameIndex(uint[] hashes)
    {
        var bits = int.Max(1, 32 - int.LeadingZeroCount(hashes.Length / 2));
        _shift = 32 - bits;
        _heads = new int[1 << bits];
        _next = hashes;
        // Backwards, so that of equal names the first comes first.
        for (var i = hashes.Length - 1; i >= 0; i--)
        {
            ref var head = ref _heads[Slot(hashes[i])];
            (_next[i], head) = ((uint)head, i + 1);
        }
    }

    /// <summary>The first number whose name may have this hash; -1 when there is none.</summary>
    public int First(uint hash) => _heads[Slot(hash)] - 1;

    /// <summary>The next such number; -1 when there is none.</summary>
    public int Next(int number) => (int)_next[number] - 1;

    private int Slot(uint hash) => (int)(hash * 0x9e37_79b1u >> _shift);
}
