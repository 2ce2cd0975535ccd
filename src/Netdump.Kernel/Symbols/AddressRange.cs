namespace Netdump.Kernel.Symbols;

/// <summary>Addresses from <paramref name="Start"/> up to <paramref name="End"/>, which is not one of them.</summary>
internal readonly record struct AddressRange(ulong Start, ulong End)
{
    /// <summary>Whether an address is one of them.</summary>
    public bool Contains(ulong address) => address - Start < End - Start && address >= Start;
}
