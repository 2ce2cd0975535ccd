namespace Netdump.Kernel.Types;

/// <content>The types of modules: BTF that goes on where the kernel's ends, in the kernel's list of it.</content>
public sealed partial class KernelTypes
{
    private const int MostModules = 4096;

    private readonly KernelTypes? _kernel;
    private Dictionary<string, ulong>? _modules;
    private Dictionary<string, KernelTypes?>? _opened;

    /// <summary>Names of the modules that brought types along, as they were loaded, newest last.</summary>
    public IReadOnlyCollection<string> Modules => FindModules().Keys;

    /// <summary>Address of the kernel's list of modules' types (<c>btf_modules</c>); null when it is not known.</summary>
    internal ulong? ModuleList { get; init; }

    /// <summary>The types of a module, the kernel's among them; null when it has none or they cannot be read.</summary>
    /// <param name="module">The module's name.</param>
    public KernelTypes? OfModule(string module)
    {
        if (_kernel is not null)
            return _kernel.OfModule(module);
        _opened ??= new(StringComparer.Ordinal);
        if (_opened.TryGetValue(module, out var known))
            return known;
        var opened = FindModules().TryGetValue(module, out var btf) ? OpenModule(module, btf) : null;
        _opened.Add(module, opened);
        return opened;
    }

    private Dictionary<string, ulong> FindModules()
    {
        if (_modules is not null)
            return _modules;
        _modules = new(StringComparer.Ordinal);
        if (ModuleList is { } head)
            foreach (var entry in ListEntries(head, "btf_module", "list", MostModules))
                if (entry["module"]["name"].Text is { Length: > 0 } name && entry["btf"].Target is { Exists: true } btf)
                    _modules.TryAdd(name, btf.Address);
        return _modules;
    }

    // module.btf_data is NULL once a module is loaded: its struct btf keeps the bytes.
    private KernelTypes? OpenModule(string module, ulong address)
    {
        var btf = At("btf", address);
        var what = $"types of module {module}";
        if (btf["data"].Pointer is not { } data || data == 0 || btf["data_size"].Unsigned is not { } size
            || size is < BtfTable.HeaderLength or > BtfTable.LargestBlob)
            return Refuse(_gaps, what, $"struct btf at 0x{address:x} has no BTF of a size that can be");
        if (btf["start_id"].Unsigned is { } first && first != (ulong)_table.NextId)
            return Refuse(_gaps, what, $"its first type is {first}, behind the kernel's {_table.NextId}");
        if (btf["start_str_off"].Unsigned is { } start && start != (ulong)_table.NextString)
            return Refuse(_gaps, what, $"its first string is at {start}, behind the kernel's {_table.NextString}");
        var table = BtfTable.Parse(Memory.ViewWithHoles(data, (int)size), _table, out var trouble);
        if (trouble is not null)
            _gaps.Add(what, trouble);
        return table is null ? null : new KernelTypes(table, Memory, _gaps, this, module);
    }
}
