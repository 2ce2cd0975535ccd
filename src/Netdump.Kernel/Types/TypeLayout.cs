using System.Globalization;

namespace Netdump.Kernel.Types;

/// <summary>One line of a type's layout.</summary>
/// <param name="Depth">How many nameless structures are around it.</param>
/// <param name="Name">The member's name; empty for a nameless structure or union, whose members follow one deeper.</param>
/// <param name="Declaration">The member in C, without a semicolon.</param>
/// <param name="BitOffset">Bits from the start of the outermost structure.</param>
/// <param name="BitSize">Bits of a bitfield, else 0.</param>
/// <param name="TypeId">Its type.</param>
/// <param name="Size">Bytes of its type; 0 when the type does not tell.</param>
public sealed record LayoutLine(int Depth, string Name, string Declaration, ulong BitOffset, int BitSize, int TypeId, int Size);

/// <summary>The members of structures and unions, and the values of enumerations, as people read them.</summary>
public static class TypeLayout
{
    private const int Deepest = 16;
    private const int MostLines = 20_000;

    /// <summary>The members in order, those of nameless members behind these.</summary>
    public static IReadOnlyList<LayoutLine> Members(KernelTypes types, int typeId)
    {
        var lines = new List<LayoutLine>();
        Add(types, types.Type(types.Resolve(typeId)), 0, 0, lines);
        return lines;
    }

    /// <summary>Writes the type: as <c>crash</c> prints it, the offsets in front when asked for.</summary>
    public static void Write(TextWriter output, KernelTypes types, int typeId, bool withOffsets, bool inHexadecimal)
    {
        var type = types.Type(types.Resolve(typeId));
        if (type.Kind is not (TypeKind.Struct or TypeKind.Union))
        {
            WriteOther(output, types, typeId, type, inHexadecimal);
            return;
        }
        output.WriteLine($"{CDeclaration.Of(types, type.Id, "").Replace(" {...}", "", StringComparison.Ordinal)} {{");
        var depth = 0;
        var margin = withOffsets ? 9 : 4;
        foreach (var line in Members(types, type.Id))
        {
            for (; depth > line.Depth; depth--)
                output.WriteLine($"{new string(' ', margin + (depth - 1) * 4)}}};");
            var indent = new string(' ', line.Depth * 4);
            if (line.Name.Length == 0)
            {
                output.WriteLine($"{new string(' ', margin)}{indent}{line.Declaration} {{");
                depth = line.Depth + 1;
                continue;
            }
            var offset = $"[{Number((long)(line.BitOffset / 8), inHexadecimal)}]";
            output.WriteLine($"{(withOffsets ? offset.PadLeft(8) + " " : "    ")}{indent}{line.Declaration}{(line.BitSize == 0 ? "" : $" : {line.BitSize}")};");
        }
        for (; depth > 0; depth--)
            output.WriteLine($"{new string(' ', margin + (depth - 1) * 4)}}};");
        output.WriteLine("}");
        output.WriteLine($"SIZE: {Number(type.Size, inHexadecimal)}");
    }

    /// <summary>A number as the user wants them.</summary>
    internal static string Number(long value, bool inHexadecimal) =>
        inHexadecimal ? $"0x{value:x}" : value.ToString(CultureInfo.InvariantCulture);

    private static void WriteOther(TextWriter output, KernelTypes types, int typeId, KernelType type, bool inHexadecimal)
    {
        var named = types.Type(typeId);
        output.WriteLine(named.Kind == TypeKind.Typedef ? $"typedef {CDeclaration.Of(types, named.Target, named.Name)};" : CDeclaration.Of(types, typeId, ""));
        if (type.Kind is TypeKind.Enum or TypeKind.Enum64)
        {
            output.WriteLine("{");
            for (var i = 0; i < type.Count; i++)
                output.WriteLine($"    {type.NameOf(i)} = {Number(type.ValueOf(i), inHexadecimal)},");
            output.WriteLine("}");
        }
        if (types.SizeOf(typeId) is { } size)
            output.WriteLine($"SIZE: {Number(size, inHexadecimal)}");
    }

    private static void Add(KernelTypes types, KernelType type, ulong start, int depth, List<LayoutLine> lines)
    {
        for (var i = 0; i < type.Count && lines.Count < MostLines; i++)
        {
            var name = type.NameOf(i);
            var id = type.MemberAt(i, out var offset, out var bits);
            var inner = types.Type(types.Resolve(id));
            var isNameless = name.Length == 0 && inner.Kind is TypeKind.Struct or TypeKind.Union && name.Length == 0;
            lines.Add(new LayoutLine(
                depth, name, isNameless ? inner.IsUnion ? "union" : "struct" : CDeclaration.Of(types, id, name), start + offset, bits, id, types.SizeOf(id) ?? 0));
            if (isNameless && depth < Deepest)
                Add(types, inner, start + offset, depth + 1, lines);
        }
    }
}
