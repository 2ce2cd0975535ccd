namespace Netdump.Kernel.Modules;

/// <summary>What a part of a module's memory holds (enum mod_mem_type). Before 6.4 there were two parts: core and init.</summary>
public enum ModuleRegionKind
{
    /// <summary>Code; before 6.4 everything that stays, code first.</summary>
    Text,

    /// <summary>Data that is written to.</summary>
    Data,

    /// <summary>Data that is only read.</summary>
    ReadOnlyData,

    /// <summary>Data that is only read once the module has started.</summary>
    ReadOnlyAfterInit,

    /// <summary>Code that is freed when the module has started; before 6.4 everything that is.</summary>
    InitText,

    /// <summary>Data that is freed.</summary>
    InitData,

    /// <summary>Read-only data that is freed.</summary>
    InitReadOnlyData,
}

/// <summary>A part of a module's memory.</summary>
/// <param name="Kind">What it holds.</param>
/// <param name="Start">Virtual address.</param>
/// <param name="Size">Bytes.</param>
/// <param name="TextSize">How many of them, from the start, are code.</param>
public readonly record struct ModuleRegion(ModuleRegionKind Kind, ulong Start, uint Size, uint TextSize)
{
    /// <summary>Whether an address lies in it.</summary>
    public bool Contains(ulong address) => address >= Start && address - Start < Size;

    /// <summary>Whether an address lies in its code.</summary>
    public bool IsText(ulong address) => address >= Start && address - Start < TextSize;
}
