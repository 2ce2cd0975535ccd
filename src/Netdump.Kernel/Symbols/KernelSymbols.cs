using System.Text;
using Netdump.Kernel.Modules;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Symbols;

/// <summary>The symbols of the kernel and of its modules, as kallsyms in its memory has them. For one thread.</summary>
/// <remarks>The image is asked first; modules are read when something is not found in it, and their symbols one module at a time.</remarks>
public sealed class KernelSymbols
{
    private readonly KernelMemory _memory;
    private readonly ImageSymbols _image;
    private readonly AddressRange _all;
    private readonly AddressRange _text;
    private readonly AddressRange _initText;
    private readonly AddressRange _init;
    private readonly bool _isBooting;
    private readonly ulong? _perCpuOffsets;
    private Func<ModuleList?>? _openModules;

    private KernelSymbols(KernelMemory memory, ImageSymbols image)
    {
        (_memory, _image) = (memory, image);
        _all = Range("_stext", "_end");
        _text = Range("_stext", "_etext");
        _initText = Range("_sinittext", "_einittext");
        _init = Range("__init_begin", "__init_end");
        // SYSTEM_BOOTING 0, SYSTEM_SCHEDULING 1: afterwards the init sections' pages are given away.
        _isBooting = TryFindInImage("system_state", out var state) && memory.TryReadUInt32(state, out var value) && value < 2;
        _perCpuOffsets = TryFindInImage("__per_cpu_offset", out var offsets) ? offsets : null;
        Online = Mask("__cpu_online_mask");
        Possible = Mask("__cpu_possible_mask");
        Present = Mask("__cpu_present_mask");
    }

    /// <summary>CPUs that ran; empty when that is not known. On arm64 those that the crash stopped are no longer in it.</summary>
    public ProcessorSet Online { get; }

    /// <summary>CPUs that could ever have run, so those that have a per-CPU area.</summary>
    public ProcessorSet Possible { get; }

    /// <summary>CPUs that were plugged in.</summary>
    public ProcessorSet Present { get; }

    /// <summary>How many symbols the kernel image has.</summary>
    public int Count => _image.Count;

    /// <summary>All symbols of the image, in the order of /proc/kallsyms.</summary>
    public IEnumerable<KernelSymbol> All
    {
        get
        {
            for (var i = 0; i < _image.Count; i++)
                yield return new(_image[i], _image.Names.Letter(i), _image.Names.Name(i), null);
        }
    }

    /// <summary>How the addresses are stored.</summary>
    internal AddressMode Mode => _image.Mode;

    /// <summary>Where the tables lie.</summary>
    internal KallsymsPlace Place => _image.Place;

    /// <summary>Finds and reads the tables.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="info">The kernel's VMCOREINFO.</param>
    /// <param name="machine">e_machine.</param>
    /// <param name="gaps">Takes the reason when there are no symbols.</param>
    /// <returns>Null when the tables are not found, damaged, or give other addresses than VMCOREINFO: wrong symbols are worse than none.</returns>
    public static KernelSymbols? Open(KernelMemory memory, VmcoreInfo info, ushort machine, Gaps gaps) => Open(memory, info, gaps, null);

    internal static KernelSymbols? Open(KernelMemory memory, VmcoreInfo info, Gaps gaps, AddressMode? forced)
    {
        string why;
        var image = KallsymsPlace.From(info) is { } place ? ImageSymbols.Open(memory, info, place, forced, out why) : KallsymsScan.Find(memory, info, out why);
        if (image is not null)
            return new(memory, image);
        gaps.Add("symbols", why);
        return null;
    }

    /// <summary>The address of a name: the first of several, the image's before those of modules.</summary>
    public bool TryFind(string name, out ulong address)
    {
        if (TryFindInImage(name, out address))
            return true;
        if (IsSearchable(name) && Modules is { } modules)
        {
            var bytes = Encoding.UTF8.GetBytes(name);
            foreach (var module in modules)
                if (module.Table.Find(bytes) is var symbol and >= 0)
                {
                    address = module.Table[symbol];
                    return true;
                }
        }
        return false;
    }

    /// <summary>The address of a name of the kernel image: the first of several. No module is looked at.</summary>
    public bool TryFindInImage(string name, out ulong address)
    {
        var symbol = IsSearchable(name) ? _image.Names.Find(Encoding.UTF8.GetBytes(name)) : -1;
        address = symbol < 0 ? 0 : _image[symbol];
        return symbol >= 0;
    }

    /// <summary>All addresses of a name: see <see cref="Find"/>.</summary>
    public IReadOnlyList<ulong> FindAll(string name) => [.. Find(name).Select(symbol => symbol.Address)];

    /// <summary>All symbols of a name: the image's in the order of /proc/kallsyms, then those of modules.</summary>
    public IEnumerable<KernelSymbol> Find(string name)
    {
        if (!IsSearchable(name))
            yield break;
        var bytes = Encoding.UTF8.GetBytes(name);
        for (var symbol = _image.Names.Find(bytes); symbol >= 0; symbol = _image.Names.Find(bytes, symbol))
            yield return new(_image[symbol], _image.Names.Letter(symbol), name, null);
        foreach (var module in Modules ?? Enumerable.Empty<KernelModule>())
            for (var symbol = module.Table.Find(bytes); symbol >= 0; symbol = module.Table.Find(bytes, symbol))
                yield return new(module.Table[symbol], module.Table.Letter(symbol), name, module.Name);
    }

    /// <summary>The symbol an address lies in, as the kernel decides it: the first of the aliases, up to the next different address.</summary>
    public bool TryResolve(ulong address, out SymbolMatch match)
    {
        match = default;
        if (!_all.Contains(address))
            return TryResolveInModule(address, out match);
        var symbol = _image.At(address, out var next);
        if (symbol < 0)
            return false;
        var start = _image[symbol];
        var end = next is { } other && other <= _all.End ? other : _initText.Contains(address) ? _initText.End : _all.End;
        match = new(start, end - start, _image.Names.Name(symbol), null);
        return true;
    }

    /// <summary>An address as the kernel's log has it: <c>name+0xoff/0xsize [module]</c>; without a symbol, the number.</summary>
    /// <param name="address">The address.</param>
    /// <param name="isReturnAddress">Whether it follows a call, which may be the last instruction of its function: then the byte before decides.</param>
    public string Render(ulong address, bool isReturnAddress)
    {
        if (!TryResolve(isReturnAddress && address > 0 ? address - 1 : address, out var match))
            return $"0x{address:x}";
        var place = $"{match.Name}+0x{unchecked(address - match.Start):x}/0x{match.Size:x}";
        return match.Module is null ? place : $"{place} [{match.Module}]";
    }

    /// <summary>Whether code lies there: the image's text, its init text while the system was booting, text of modules. The letters of symbols do not
    /// tell: since 6.17 data can have <c>T</c>.</summary>
    public bool IsText(ulong address)
    {
        if (_text.Contains(address) || (_isBooting && _initText.Contains(address)))
            return true;
        return !_all.Contains(address) && IsModuleAddress(address) && Modules?.Find(address) is { } module && module.IsText(address);
    }

    /// <summary>Whether an address lies in [_sinittext, _einittext), which is freed when the system has booted.</summary>
    public bool IsInitText(ulong address) => _initText.Contains(address);

    /// <summary>
    /// Whether an address of the image was given away when the system had booted: its symbols stay, its pages hold something else, and nothing may be
    /// read there as what the symbol says. (The image's own copy of the per-CPU area lies in there since 6.15, the CPUs' copies do not.)
    /// </summary>
    public bool IsFreed(ulong address) => !_isBooting && _init.Contains(address);

    /// <summary>Where a per-CPU variable lies for a CPU; null without the symbol or the CPU.</summary>
    public ulong? OnProcessor(string perCpuSymbol, int cpu) =>
        TryFind(perCpuSymbol, out var address) && TryOffset(cpu, out var offset) ? unchecked(address + offset) : null;

    /// <summary>Where a per-CPU variable lies for a CPU, modulo 2^64; an unknown CPU's offset counts as 0.</summary>
    public ulong OnProcessor(ulong perCpuAddress, int cpu) => TryOffset(cpu, out var offset) ? unchecked(perCpuAddress + offset) : perCpuAddress;

    private bool TryOffset(int cpu, out ulong offset)
    {
        offset = 0;
        return _perCpuOffsets is { } offsets
            ? cpu is >= 0 and < ProcessorSet.Maximum && Possible.Contains(cpu) && _memory.TryReadUInt64(offsets + (ulong)cpu * 8, out offset)
            : cpu == 0;
    }

    private ModuleList? Modules => _openModules?.Invoke();

    /// <summary>Lets modules be asked for what is not in the image.</summary>
    /// <param name="open">Gives the modules; null while they cannot be had, because that needs these symbols.</param>
    internal void UseModules(Func<ModuleList?> open) => _openModules = open;

    private static bool IsSearchable(string name) => name.Length is > 0 and < KallsymsNames.LongestName;

    // All that a module's memory can be on both machines: the upper half of addresses.
    private static bool IsModuleAddress(ulong address) => (long)address < 0;

    private bool TryResolveInModule(ulong address, out SymbolMatch match)
    {
        match = default;
        if (!IsModuleAddress(address) || Modules?.Find(address) is not { } module || module.RegionOf(address) is not { } region
            || !module.Table.TryResolve(address, region, out match))
            return false;
        match = match with { Module = module.Name };
        return true;
    }

    private AddressRange Range(string first, string end) =>
        TryFindInImage(first, out var start) && TryFindInImage(end, out var behind) && start < behind ? new(start, behind) : default;

    private ProcessorSet Mask(string symbol)
    {
        // A CPU number has to be below nr_cpu_ids; where that cannot be read, the mask ends with its symbol.
        if (!TryFindInImage(symbol, out var address) || !TryResolve(address, out var match))
            return new();
        var size = TryFindInImage("nr_cpu_ids", out var limit) && _memory.TryReadUInt32(limit, out var cpus) && cpus is > 0 and <= ProcessorSet.Maximum
            ? (cpus + 63) / 64
            : ulong.Min(match.Size / 8, ProcessorSet.Maximum / 64);
        var words = new ulong[size];
        for (var word = 0; word < words.Length; word++)
            if (!_memory.TryReadUInt64(address + (ulong)word * 8, out words[word]))
                break;
        return new(words);
    }
}
