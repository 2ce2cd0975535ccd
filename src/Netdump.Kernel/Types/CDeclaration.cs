using System.Globalization;
using System.Text;

namespace Netdump.Kernel.Types;

/// <summary>Types as C declares them: <c>const struct cred *cred</c>, <c>int (*handler)(struct irq_desc *)</c>.</summary>
public static class CDeclaration
{
    private const int Deepest = 24;
    private const int MostParameters = 32;

    // BTF has the names of DWARF; people write the others, as gdb prints them.
    private static readonly Dictionary<string, string> Integers = new(StringComparer.Ordinal)
    {
        ["long unsigned int"] = "unsigned long",
        ["long int"] = "long",
        ["short unsigned int"] = "unsigned short",
        ["short int"] = "short",
        ["long long unsigned int"] = "unsigned long long",
        ["long long int"] = "long long",
        ["__int128 unsigned"] = "unsigned __int128",
    };

    /// <summary>Declares a name with a type.</summary>
    /// <param name="types">Where the type is known.</param>
    /// <param name="typeId">The type.</param>
    /// <param name="name">The name; empty gives the type alone.</param>
    public static string Of(KernelTypes types, int typeId, string name) => Of(types, typeId, name, 0);

    private static string Of(KernelTypes types, int typeId, string declarator, int depth)
    {
        var qualifiers = "";
        for (var step = 0; step < Deepest && depth < Deepest; step++)
        {
            var type = types.Type(typeId);
            switch (type.Kind)
            {
                case TypeKind.Pointer:
                    declarator = "*" + declarator;
                    break;
                case TypeKind.Array:
                    declarator = string.Create(CultureInfo.InvariantCulture, $"{Grouped(declarator)}[{type.Length}]");
                    break;
                case TypeKind.FunctionPrototype:
                    declarator = $"{Grouped(declarator)}({Parameters(types, type, depth)})";
                    break;
                case TypeKind.Const or TypeKind.Volatile or TypeKind.Restrict:
                    var word = type.Kind == TypeKind.Const ? "const" : type.Kind == TypeKind.Volatile ? "volatile" : "restrict";
                    // Of the pointer itself, or of what is named in front.
                    if (types.Type(type.Target).Kind == TypeKind.Pointer)
                        declarator = declarator.Length == 0 ? word : $" {word} {declarator}";
                    else
                        qualifiers += word + " ";
                    break;
                case TypeKind.TypeTag:
                    break;
                default:
                    return qualifiers + BaseName(type) + (declarator.Length == 0 ? "" : declarator[0] == ' ' ? declarator : " " + declarator);
            }
            typeId = type.Target;
        }
        return $"? {declarator}";
    }

    private static string Grouped(string declarator) => declarator.StartsWith('*') ? $"({declarator})" : declarator;

    private static string BaseName(KernelType type) => type.Kind switch
    {
        TypeKind.Void => "void",
        TypeKind.Struct or TypeKind.Union or TypeKind.Forward => $"{(type.IsUnion ? "union" : "struct")} {(type.IsNameless ? "{...}" : type.Name)}",
        TypeKind.Enum or TypeKind.Enum64 => $"enum {(type.IsNameless ? "{...}" : type.Name)}",
        _ => Integers.TryGetValue(type.Name, out var known) ? known : type.Name,
    };

    private static string Parameters(KernelTypes types, KernelType prototype, int depth)
    {
        var text = new StringBuilder();
        for (var i = 0; i < Math.Min(prototype.Count, MostParameters); i++)
        {
            var id = prototype.ParameterAt(i);
            text.Append(i == 0 ? "" : ", ").Append(id == 0 ? "..." : Of(types, id, "", depth + 1));
        }
        return text.Length == 0 ? "void" : text.ToString();
    }
}
