using Netdump.Kernel.Symbols;

namespace Netdump.Kernel.Modules;

/// <summary>How far a module is loaded (enum module_state).</summary>
public enum ModuleState
{
    /// <summary>In use.</summary>
    Live,

    /// <summary>Its init function is running.</summary>
    Coming,

    /// <summary>It is being removed.</summary>
    Going,

    /// <summary>Still being set up: nothing in it can be trusted, and it is not listed.</summary>
    Unformed,
}

/// <summary>A module of the dead kernel (struct module).</summary>
public sealed class KernelModule
{
    private readonly Lazy<ModuleSymbols> _symbols;

    internal KernelModule(Func<KernelModule, ModuleSymbols> symbols) => _symbols = new(() => symbols(this), isThreadSafe: false);

    /// <summary>Address of its struct module.</summary>
    public required ulong Address { get; init; }

    /// <summary>Its name, at most 55 bytes.</summary>
    public required string Name { get; init; }

    /// <summary>How far it is loaded.</summary>
    public required ModuleState State { get; init; }

    /// <summary>The parts of its memory that are there, code first.</summary>
    public required IReadOnlyList<ModuleRegion> Regions { get; init; }

    /// <summary>The taint flags it set: see <see cref="Facts.Taint.LettersOf"/>.</summary>
    public required ulong Taints { get; init; }

    /// <summary>MODULE_VERSION; null when it has none.</summary>
    public required string? Version { get; init; }

    /// <summary>The hash of the sources it was built from (srcversion); null when it has none.</summary>
    public required string? SourceVersion { get; init; }

    /// <summary>How often it is used, as lsmod says it; null when the kernel cannot remove modules.</summary>
    public required long? References { get; init; }

    /// <summary>The modules that use it, newest first as in /proc/modules.</summary>
    public required IReadOnlyList<string> UsedBy { get; init; }

    /// <summary>Whether it can never be removed: it has an init function and no exit function.</summary>
    public required bool IsPermanent { get; init; }

    /// <summary>Its bug table: address of the first entry (module.bug_table).</summary>
    public required ulong BugTable { get; init; }

    /// <summary>Entries in its bug table.</summary>
    public required int BugCount { get; init; }

    /// <summary>Its ORC table: address of the first of <see cref="OrcCount"/> s32 (module.arch.orc_unwind_ip); 0 without one.</summary>
    public required ulong OrcAddresses { get; init; }

    /// <summary>Its ORC table: address of the first entry (module.arch.orc_unwind); 0 without one.</summary>
    public required ulong OrcEntries { get; init; }

    /// <summary>Entries in its ORC table.</summary>
    public required int OrcCount { get; init; }

    /// <summary>Where its code begins.</summary>
    public ulong Base => Regions.Count > 0 ? Regions[0].Start : 0;

    /// <summary>Bytes that stay in memory, as lsmod and crash count them: the init parts are left out.</summary>
    public ulong Size
    {
        get
        {
            var size = 0UL;
            foreach (var region in Regions)
                size += region.Kind < ModuleRegionKind.InitText ? region.Size : 0;
            return size;
        }
    }

    /// <summary>Where its code begins.</summary>
    public ulong TextBase => Base;

    /// <summary>Bytes of its code.</summary>
    public ulong TextSize => Regions.Count > 0 ? Regions[0].TextSize : 0;

    /// <summary>Its symbols, as /proc/kallsyms lists them.</summary>
    public IEnumerable<KernelSymbol> Symbols => _symbols.Value.All(Name);

    /// <summary>How many symbols it has.</summary>
    public int SymbolCount => _symbols.Value.Count;

    internal ModuleSymbols Table => _symbols.Value;

    /// <summary>Whether an address lies in its memory.</summary>
    public bool Contains(ulong address) => RegionOf(address) is not null;

    /// <summary>Whether an address lies in its code.</summary>
    public bool IsText(ulong address) => RegionOf(address) is { } region && region.IsText(address);

    /// <summary>The part of its memory that an address lies in.</summary>
    internal ModuleRegion? RegionOf(ulong address)
    {
        foreach (var region in Regions)
            if (region.Contains(address))
                return region;
        return null;
    }
}
