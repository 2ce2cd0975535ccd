using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Symbols;

/// <summary>The symbols of the kernel image: names and addresses of kallsyms, found both ways.</summary>
internal sealed class ImageSymbols
{
    private readonly KallsymsAddresses _addresses;
    private readonly int[]? _order;

    private ImageSymbols(KallsymsPlace place, KallsymsNames names, KallsymsAddresses addresses)
    {
        (Place, Names, _addresses) = (place, names, addresses);
        for (var i = 1; i < addresses.Count && _order is null; i++)
            if (addresses[i] < addresses[i - 1])
            {
                // The kernel sorts them when it is built; a stable order by address costs little where it did not.
                _order = [.. Enumerable.Range(0, addresses.Count)];
                Array.Sort(_order, (a, b) => addresses[a] != addresses[b] ? addresses[a].CompareTo(addresses[b]) : a.CompareTo(b));
            }
    }

    /// <summary>Where the tables lie.</summary>
    public KallsymsPlace Place { get; }

    /// <summary>The names.</summary>
    public KallsymsNames Names { get; }

    /// <summary>How the addresses are stored.</summary>
    public AddressMode Mode => _addresses.Mode;

    /// <summary>How many symbols there are.</summary>
    public int Count => _addresses.Count;

    /// <summary>The address of a symbol.</summary>
    public ulong this[int symbol] => _addresses[symbol];

    /// <summary>Reads the tables.</summary>
    public static ImageSymbols? Open(KernelMemory memory, VmcoreInfo info, KallsymsPlace place, AddressMode? forced, out string why)
    {
        if (KallsymsNames.Read(memory, place, out why) is not { } names
            || KallsymsAddresses.Read(memory, place, names, info, forced, out why) is not { } addresses)
            return null;
        return new(place, names, addresses);
    }

    /// <summary>The symbol that an address belongs to.</summary>
    /// <param name="address">The address.</param>
    /// <param name="next">The next different address; null behind the last symbol.</param>
    /// <returns>Number of the first symbol with the highest address not above it; -1 when there is none.</returns>
    public int At(ulong address, out ulong? next)
    {
        var (low, high) = (0, _addresses.Count);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (Sorted(middle) <= address)
                low = middle + 1;
            else
                high = middle;
        }
        next = low < _addresses.Count ? Sorted(low) : null;
        if (low == 0)
            return -1;
        var first = low - 1;
        while (first > 0 && Sorted(first - 1) == Sorted(low - 1))
            first--;
        return _order is null ? first : _order[first];
    }

    private ulong Sorted(int place) => _addresses[_order is null ? place : _order[place]];
}
