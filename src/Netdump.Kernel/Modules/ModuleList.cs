using System.Collections;
using Netdump.Kernel.Symbols;
using Netdump.Kernel.Types;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Modules;

/// <summary>The modules of the dead kernel, the one loaded last first, as in /proc/modules.</summary>
public sealed class ModuleList : IReadOnlyList<KernelModule>
{
    private const int Maximum = 4096;
    private const int MaximumUsers = 256;
    private const int MaximumEntries = 1 << 22;

    private readonly List<KernelModule> _modules = [];
    private readonly KernelMemory _memory;
    private readonly Gaps _gaps;

    private ModuleList(KernelMemory memory, Gaps gaps) => (_memory, _gaps) = (memory, gaps);

    /// <summary>How many there are.</summary>
    public int Count => _modules.Count;

    /// <summary>Whether the list was followed back to its head; when it was not, there may be more.</summary>
    public bool IsWhole { get; private set; }

    /// <summary>A module by its place.</summary>
    public KernelModule this[int index] => _modules[index];

    /// <summary>Walks the list of modules.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="symbols">Its symbols.</param>
    /// <param name="types">Its types.</param>
    /// <param name="gaps">Told what could not be read.</param>
    /// <returns>An empty list where nothing can be read.</returns>
    public static ModuleList Open(KernelMemory memory, KernelSymbols? symbols, KernelTypes? types, Gaps gaps)
    {
        var list = new ModuleList(memory, gaps);
        if (symbols is null || types is null)
        {
            gaps.Add("modules", symbols is null ? "the kernel's symbols are missing" : "the kernel's types are missing");
            return list;
        }
        if (!symbols.TryFindInImage("modules", out var head) || types.OffsetOf("module", "list") is not { } link)
        {
            gaps.Add("modules", "this kernel has no list of modules");
            return list;
        }
        list.Walk(types, head, (ulong)link);
        return list;
    }

    /// <summary>The module whose memory an address lies in.</summary>
    public KernelModule? Find(ulong address)
    {
        foreach (var module in _modules)
            if (module.Contains(address))
                return module;
        return null;
    }

    /// <summary>The module of a name.</summary>
    public KernelModule? Find(string name) => _modules.Find(module => module.Name == name);

    /// <summary>The modules, in the order of the list.</summary>
    public IEnumerator<KernelModule> GetEnumerator() => _modules.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private void Walk(KernelTypes types, ulong head, ulong link)
    {
        var walk = _memory.WalkList(head, Maximum);
        while (walk.MoveNext())
        {
            var module = types.At("module", unchecked(walk.Current - link));
            if (module["name"].Text is not { Length: > 0 } name || module["state"].Unsigned is not { } state)
            {
                _gaps.Add("modules", $"the list leads to 0x{module.Address:x}, where no module can be read");
                return;
            }
            if (state < (ulong)ModuleState.Unformed)
                _modules.Add(Read(types, module, name, (ModuleState)state));
        }
        IsWhole = walk.End == ListEnd.Head;
        if (!IsWhole)
            _gaps.Add("modules", $"the list breaks off after {_modules.Count} of them ({walk.End}) behind 0x{walk.Current:x}");
    }

    private KernelModule Read(KernelTypes types, KernelObject module, string name, ModuleState state)
    {
        var orc = module["arch.num_orcs"].Unsigned is { } count and <= MaximumEntries ? (int)count : 0;
        return new(_ => ModuleSymbols.Read(_memory, module, _gaps))
        {
            Address = module.Address,
            Name = name,
            State = state,
            Regions = Regions(types, module),
            Taints = module["taints"].Unsigned ?? 0,
            Version = module["version"].Text,
            SourceVersion = module["srcversion"].Text,
            // MODULE_REF_BASE: a loaded module counts as one user of itself.
            References = module["refcnt.counter"].Signed - 1,
            UsedBy = Users(types, module),
            IsPermanent = module["init"].Pointer is not (null or 0) && module["exit"].Pointer is 0,
            BugTable = module["bug_table"].Pointer ?? 0,
            BugCount = module["num_bugs"].Unsigned is { } bugs and <= MaximumEntries ? (int)bugs : 0,
            OrcAddresses = orc == 0 ? 0 : module["arch.orc_unwind_ip"].Pointer ?? 0,
            OrcEntries = orc == 0 ? 0 : module["arch.orc_unwind"].Pointer ?? 0,
            OrcCount = orc,
        };
    }

    private static List<ModuleRegion> Regions(KernelTypes types, KernelObject module)
    {
        var regions = new List<ModuleRegion>();
        if (module["mem"] is { Exists: true } parts)
        {
            for (var kind = ModuleRegionKind.Text; kind <= ModuleRegionKind.InitReadOnlyData; kind++)
            {
                var size = (uint)(parts[(int)kind]["size"].Unsigned ?? 0);
                var text = kind is ModuleRegionKind.Text or ModuleRegionKind.InitText ? size : 0;
                Add(regions, kind, parts[(int)kind]["base"].Pointer, size, text);
            }
            return regions;
        }
        foreach (var (name, kind) in (ReadOnlySpan<(string, ModuleRegionKind)>)[("core_layout", ModuleRegionKind.Text), ("init_layout", ModuleRegionKind.InitText)])
        {
            var part = module[name];
            var size = (uint)(part["size"].Unsigned ?? 0);
            Add(regions, kind, part["base"].Pointer, size, uint.Min(size, (uint)(part["text_size"].Unsigned ?? 0)));
        }
        return regions;
    }

    private static void Add(List<ModuleRegion> regions, ModuleRegionKind kind, ulong? start, uint size, uint text)
    {
        if (start is { } at && at != 0 && size != 0 && at + size > at)
            regions.Add(new(kind, at, size, text));
    }

    private List<string> Users(KernelTypes types, KernelObject module)
    {
        var users = new List<string>();
        if (module["source_list"] is not { Exists: true } list || types.OffsetOf("module_use", "source_list") is not { } link)
            return users;
        var walk = _memory.WalkList(list.Address, MaximumUsers);
        while (walk.MoveNext())
            if (types.At("module_use", unchecked(walk.Current - (ulong)link))["source.name"].Text is { Length: > 0 } user)
                users.Add(user);
        return users;
    }
}
