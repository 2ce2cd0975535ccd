using System.Numerics;

namespace Netdump.Server.Store;

/// <summary>Which blocks of a page map changed since they were last taken: one bit a block. Not thread-safe.</summary>
public sealed class DirtyBlocks
{
    private readonly ulong[] _bits;
    private int _first; // no word below has a bit

    internal DirtyBlocks(int blocks) => _bits = new ulong[(blocks + 63) / 64];

    /// <summary>Finds the next block that changed, and takes it.</summary>
    /// <param name="index">Index of the block found.</param>
    /// <returns>False when none has.</returns>
    public bool TryTake(out int index)
    {
        for (; _first < _bits.Length; _first++)
        {
            if (_bits[_first] == 0)
                continue;
            int bit = BitOperations.TrailingZeroCount(_bits[_first]);
            _bits[_first] &= ~(1UL << bit);
            index = _first * 64 + bit;
            return true;
        }

        index = 0;
        return false;
    }

    internal void Add(int block)
    {
        _bits[block >> 6] |= 1UL << (block & 63);
        _first = Math.Min(_first, block >> 6);
    }
}
