using Netdump.Client.Configuration;
using Netdump.Kernel;
using Netdump.Kernel.Types;

namespace Netdump.Client.Commands;

/// <summary>What <c>netdump struct</c> was asked for.</summary>
/// <param name="Types">The types it is found in: the kernel's, or a module's.</param>
/// <param name="TypeId">The type.</param>
/// <param name="Members">Paths of members; empty is all.</param>
/// <param name="Address">Where an object is; null for the type alone.</param>
/// <param name="Symbol">The symbol the address was given by.</param>
/// <param name="SymbolType">The type of that symbol's variable; 0 when it is not known.</param>
internal sealed record StructRequest(KernelTypes Types, int TypeId, IReadOnlyList<string> Members, ulong? Address, string? Symbol, int SymbolType)
{
    // BTF describes per-CPU variables alone; these are the others that people ask for.
    private static readonly Dictionary<string, string> Variables = new (string Name, string Type)[]
    {
        ("init_task", "task_struct"), ("init_mm", "mm_struct"), ("init_net", "net"), ("init_uts_ns", "uts_namespace"), ("init_pid_ns", "pid_namespace"),
        ("init_user_ns", "user_namespace"), ("init_cred", "cred"), ("boot_cpu_data", "cpuinfo_x86"), ("crashk_res", "resource"),
        ("iomem_resource", "resource"), ("root_task_group", "task_group"), ("timekeeper_data", "tk_data"), ("jiffies", "long unsigned int"),
        ("jiffies_64", "long unsigned int"), ("panic_cpu", "atomic_t"), ("crashing_cpu", "int"), ("panic_on_oops", "int"), ("panic_on_warn", "int"),
        ("panic_timeout", "int"), ("system_state", "system_states"), ("tainted_mask", "long unsigned int"), ("_totalram_pages", "atomic_long_t"),
        ("nr_threads", "int"), ("modules", "list_head"), ("super_blocks", "list_head"), ("slab_caches", "list_head"), ("prog_idr", "idr"),
        ("sparse_irqs", "maple_tree"), ("irq_desc_tree", "xarray"),
    }.ToDictionary(v => v.Name, v => v.Type, StringComparer.Ordinal);

    /// <summary>Whether the address was given by a symbol's name.</summary>
    public bool IsSymbol => Symbol is not null;

    /// <summary>Finds type and place.</summary>
    /// <exception cref="ClientException">There is no such type, member, module or symbol.</exception>
    public static StructRequest Find(CrashedKernel kernel, string text, string? module, string? place)
    {
        if (kernel.Types is not { } types)
            throw KernelArgument.Absent(kernel, "types");
        if (text.StartsWith('='))
            return Variable(kernel, types, text[1..]);
        var dot = text.IndexOf('.');
        var (name, members) = dot < 0 ? (text, Array.Empty<string>()) : (text[..dot], text[(dot + 1)..].Split(','));
        var (owner, id) = FindType(types, name, module);
        foreach (var member in members)
            if (owner.FindMember(id, member) is null && !MayFollow(owner, id, member))
                throw new ClientException($"{name} has no member {member}", Nearest(member, TypeLayout.Members(owner, id).Select(l => l.Name)));
        var isNumber = place is null || !kernel.TryFind(place.Split('+', ':')[0], out _);
        var symbol = isNumber ? null : place;
        return new StructRequest(owner, id, members, place is null ? null : KernelArgument.Place(kernel, place), symbol, symbol is null ? 0 : TypeOf(types, symbol));
    }

    private static StructRequest Variable(CrashedKernel kernel, KernelTypes types, string text)
    {
        var dot = text.IndexOf('.');
        var (name, members) = dot < 0 ? (text, Array.Empty<string>()) : (text[..dot], text[(dot + 1)..].Split(','));
        var type = TypeOf(types, name);
        if (type == 0)
            throw new ClientException($"the type of {name} is not known: BTF describes per-CPU variables alone", $"name the type: netdump struct FILE TYPE {name}");
        return new StructRequest(types, type, members, KernelArgument.Place(kernel, name), name, type);
    }

    private static int TypeOf(KernelTypes types, string symbol)
    {
        var bare = symbol.Split(':')[0];
        return types.TypeOfVariable(bare) is var type and not 0 ? type : Variables.TryGetValue(bare, out var name) ? types.Find(name) : 0;
    }

    private static (KernelTypes Types, int Id) FindType(KernelTypes types, string name, string? module)
    {
        if (module is not null)
        {
            var own = types.OfModule(module) ?? throw new ClientException($"module {module} brought no types along", Nearest(module, types.Modules));
            return own.Find(name) is var inModule and not 0 ? (own, inModule) : throw new ClientException($"there is no type {name} in module {module}");
        }
        if (types.Find(name) is var id and not 0)
            return (types, id);
        foreach (var each in types.Modules)
            if (types.OfModule(each) is { } own && own.Find(name) is var inModule and not 0)
                return (own, inModule);
        throw new ClientException($"there is no type {name} in the kernel or its modules");
    }

    // A path that goes on behind a pointer is tried on the object.
    private static bool MayFollow(KernelTypes types, int id, string path)
    {
        var dot = path.IndexOf('.');
        return dot > 0 && types.FindMember(id, path[..dot]) is not null;
    }

    private static string? Nearest(string name, IEnumerable<string> names)
    {
        string[] known = [.. names.Where(n => n.Length > 0)];
        return known.Length == 0 ? null : $"did you mean {NearestName.Of(name, known)}?";
    }
}
