using System.Text;
using Netdump.Kernel.Symbols;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Types;

/// <summary>
/// The kernel's own description of its types (BTF), out of the dump: members by name, sizes, values of enumerations. One instance for
/// the kernel, one for each module that is asked for; a module's knows the kernel's types as well, under the same ids.
/// For one thread. Nothing here throws on hostile memory: what is not there is null, 0 or an object that does not exist.
/// </summary>
public sealed partial class KernelTypes
{
    /// <summary>Typedefs, qualifiers and nested structures that are followed one after the other; real ones need a quarter of it.</summary>
    private const int Deepest = 32;

    // Members looked at for one name: a structure of nameless structures could hold more of them than there are atoms.
    private const int MostMembers = 20_000;
    private const int MostPaths = 1 << 14;

    private readonly BtfTable _table;
    private readonly Gaps _gaps;
    private readonly Dictionary<(int Type, string Path), Member?> _paths = [];

    private KernelTypes(BtfTable table, KernelMemory memory, Gaps gaps, KernelTypes? kernel, string? module)
    {
        (_table, Memory, _gaps, _kernel, Module) = (table, memory, gaps, kernel, module);
    }

    /// <summary>How many types there are, void included.</summary>
    public int Count => _table.NextId;

    /// <summary>The module's name; null for the kernel itself.</summary>
    public string? Module { get; }

    /// <summary>The memory that objects are read from.</summary>
    public KernelMemory Memory { get; }

    /// <summary>Finds and reads the kernel's BTF.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="symbols">Its symbols, which say where BTF lies; without them it is searched, and the types of modules cannot be had.</param>
    /// <param name="info">Its VMCOREINFO.</param>
    /// <param name="gaps">Told what could not be read.</param>
    /// <returns>Null when there is none, or none that this program can read.</returns>
    public static KernelTypes? Open(KernelMemory memory, KernelSymbols? symbols, VmcoreInfo info, Gaps gaps)
    {
        var bytes = BtfSearch.Find(memory, symbols, info, out var trouble);
        var modules = symbols is not null && symbols.TryFind("btf_modules", out var list) ? list : (ulong?)null;
        return bytes is null ? Refuse(gaps, "types", trouble!) : Open(bytes, memory, gaps, modules);
    }

    /// <summary>Reads BTF that lies in memory.</summary>
    internal static KernelTypes? Open(MemoryView bytes, KernelMemory memory, Gaps gaps, ulong? moduleList = null)
    {
        var table = BtfTable.Parse(bytes, null, out var trouble);
        if (table is null)
            return Refuse(gaps, "types", trouble!);
        if (trouble is not null)
            gaps.Add("types", trouble);
        return new KernelTypes(table, memory, gaps, null, null) { ModuleList = moduleList };
    }

    /// <summary>Looks at a type; void when there is none of that id.</summary>
    public KernelType Type(int id) => _table.Type(id);

    /// <summary>Finds a type by name: structures, unions, enumerations, typedefs, integers, variables and forward declarations.</summary>
    /// <param name="name">Its name without <c>struct</c>.</param>
    /// <param name="kind">Its kind.</param>
    /// <returns>Its id; 0 when there is none.</returns>
    public int Find(string name, TypeKind kind)
    {
        Span<byte> bytes = stackalloc byte[BtfTable.LongestName];
        return Encoding.UTF8.TryGetBytes(name, bytes, out var length) ? _table.Find(bytes[..length], kind) : 0;
    }

    /// <summary>Finds a type as C names it: <c>struct list_head</c>, <c>atomic_t</c>; a bare name is a structure before all else.</summary>
    /// <returns>Its id; 0 when there is none.</returns>
    public int Find(string name)
    {
        foreach (var (prefix, kind) in (ReadOnlySpan<(string, TypeKind)>)[("struct ", TypeKind.Struct), ("union ", TypeKind.Union)])
            if (name.StartsWith(prefix, StringComparison.Ordinal))
                return Find(name[prefix.Length..].Trim(), kind);
        if (name.StartsWith("enum ", StringComparison.Ordinal))
            return FindEnum(name[5..].Trim());
        foreach (var kind in (ReadOnlySpan<TypeKind>)[TypeKind.Struct, TypeKind.Union, TypeKind.Typedef, TypeKind.Int])
            if (Find(name, kind) is var id and not 0)
                return id;
        return FindEnum(name);
    }

    /// <summary>Bytes of a structure or any other type; null when there is none.</summary>
    public int? SizeOf(string structure) => SizeOf(Find(structure));

    /// <summary>Bytes of a type; null when it does not tell (void, a function, a declaration alone) or is larger than 2 GiB.</summary>
    public int? SizeOf(int typeId)
    {
        long count = 1;
        for (var depth = 0; depth < Deepest; depth++)
        {
            var type = _table.Type(typeId);
            switch (type.Kind)
            {
                case TypeKind.Pointer:
                    return Product(count, 8);
                case TypeKind.Int or TypeKind.Struct or TypeKind.Union or TypeKind.Enum or TypeKind.Enum64 or TypeKind.Float or TypeKind.DataSection:
                    return Product(count, type.Size);
                case TypeKind.Array:
                    if (Product(count, type.Length) is not { } elements)
                        return null;
                    count = elements;
                    break;
                case TypeKind.Void or TypeKind.Function or TypeKind.FunctionPrototype or TypeKind.Forward:
                    return null;
                default:
                    break;
            }
            typeId = type.Target;
        }
        return null;
    }

    /// <summary>Where a member lies, in bytes from the structure's start; null when structure or member is absent.</summary>
    /// <param name="structure">The structure's name.</param>
    /// <param name="path">The member: <c>sched_info.last_arrival</c>, <c>mem[1].base</c>; members of nameless members count as its own.</param>
    public int? OffsetOf(string structure, string path) =>
        FindMember(Find(structure), path) is { } member && member.Offset <= int.MaxValue ? (int)member.Offset : null;

    /// <summary>Finds a member: see <see cref="OffsetOf"/>. Pointers are not followed.</summary>
    /// <param name="typeId">A structure or union, or a typedef of one.</param>
    /// <param name="path">The member.</param>
    public Member? FindMember(int typeId, string path)
    {
        if (_paths.TryGetValue((typeId, path), out var known))
            return known;
        var found = MemberPath.Resolve(this, typeId, path);
        if (_paths.Count < MostPaths)
            _paths.Add((typeId, path), found);
        return found;
    }

    /// <summary>The value behind a name of an enumeration; null when either is absent.</summary>
    /// <param name="enumName">The enumeration's name; empty searches all nameless ones.</param>
    /// <param name="name">The value's name.</param>
    public long? EnumValue(string enumName, string name)
    {
        Span<byte> bytes = stackalloc byte[BtfTable.LongestName];
        if (!Encoding.UTF8.TryGetBytes(name, bytes, out var length))
            return null;
        ReadOnlySpan<byte> wanted = bytes[..length];
        if (enumName.Length > 0)
            return FindValue(FindEnum(enumName), wanted);
        for (var id = 1; id < _table.NextId; id++)
            if (_table.Type(id) is { IsNameless: true, Kind: TypeKind.Enum or TypeKind.Enum64 } && FindValue(id, wanted) is { } value)
                return value;
        return null;
    }

    /// <summary>The name of a value of an enumeration; null when there is none.</summary>
    /// <param name="typeId">An enumeration, or a typedef of one.</param>
    /// <param name="value">The value.</param>
    public string? EnumName(int typeId, long value)
    {
        var type = _table.Type(Resolve(typeId));
        if (type.Kind is TypeKind.Enum or TypeKind.Enum64)
            for (var i = 0; i < type.Count; i++)
                if (type.ValueOf(i) == value)
                    return type.NameOf(i);
        return null;
    }

    /// <summary>The type of a per-CPU variable of the kernel; 0 for others, which BTF does not describe.</summary>
    public int TypeOfVariable(string name) => _table.Type(Find(name, TypeKind.Variable)).Target;

    /// <summary>A typed place in memory; one that does not exist when the type is absent.</summary>
    /// <param name="structure">The type's name: see <see cref="Find(string)"/>.</param>
    /// <param name="address">Its address.</param>
    public KernelObject At(string structure, ulong address) => At(Find(structure), address);

    /// <summary>A typed place in memory.</summary>
    public KernelObject At(int typeId, ulong address) => typeId == 0 ? default : new KernelObject(this, typeId, address);

    /// <summary>The type behind typedefs and qualifiers; 0 when they never end.</summary>
    public int Resolve(int typeId)
    {
        for (var depth = 0; depth < Deepest; depth++)
        {
            var type = _table.Type(typeId);
            if (type.Kind is not (TypeKind.Typedef or TypeKind.Const or TypeKind.Volatile or TypeKind.Restrict or TypeKind.TypeTag or TypeKind.Variable))
                return type.Id;
            typeId = type.Target;
        }
        return 0;
    }

    /// <summary>Finds a direct member, or one of a nameless member.</summary>
    internal Member? FindDirect(int typeId, ReadOnlySpan<byte> name)
    {
        var budget = MostMembers;
        return FindDirect(_table.Type(Resolve(typeId)), name, 0, 0, ref budget);
    }

    private static int? Product(long count, long size) => count * size is var product && product <= int.MaxValue ? (int)product : null;

    private static KernelTypes? Refuse(Gaps gaps, string what, string trouble)
    {
        gaps.Add(what, trouble);
        return null;
    }

    private Member? FindDirect(KernelType type, ReadOnlySpan<byte> name, ulong start, int depth, ref int budget)
    {
        if (type.Kind is not (TypeKind.Struct or TypeKind.Union) || (budget -= type.Count) < 0)
            return null;
        for (var i = 0; i < type.Count; i++)
            if (type.NameBytesOf(i).SequenceEqual(name))
            {
                var id = type.MemberAt(i, out var offset, out var bits);
                return new Member(start + offset, bits, id, SizeOf(id) ?? 0);
            }
        if (depth < Deepest)
            for (var i = 0; i < type.Count; i++)
                if (type.NameBytesOf(i).IsEmpty
                    && FindDirect(_table.Type(Resolve(type.MemberAt(i, out var offset, out _))), name, start + offset, depth + 1, ref budget)
                        is { } member)
                    return member;
        return null;
    }

    private int FindEnum(string name) => Find(name, TypeKind.Enum) is var id and not 0 ? id : Find(name, TypeKind.Enum64);

    private long? FindValue(int typeId, ReadOnlySpan<byte> name)
    {
        var type = _table.Type(typeId);
        for (var i = 0; i < type.Count; i++)
            if (type.NameBytesOf(i).SequenceEqual(name))
                return type.ValueOf(i);
        return null;
    }
}
