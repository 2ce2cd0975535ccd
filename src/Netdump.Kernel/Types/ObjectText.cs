using System.Globalization;
using System.Text;
using Netdump.Kernel.Symbols;

namespace Netdump.Kernel.Types;

/// <summary>Values of objects in braces, as gdb and crash print them; what is not in the dump is said in its place.</summary>
public sealed class ObjectText
{
    private const int Deepest = 16;
    private const int MostElements = 200;
    private const int ShortestRepeat = 10;
    private const int LongestOutput = 4 << 20;
    private const string Missing = "<not in the dump>";

    private readonly KernelTypes _types;
    private readonly KernelSymbols? _symbols;
    private readonly bool _inHexadecimal;
    private readonly StringBuilder _text = new();

    private ObjectText(KernelTypes types, KernelSymbols? symbols, bool inHexadecimal) => (_types, _symbols, _inHexadecimal) = (types, symbols, inHexadecimal);

    /// <summary>The value of an object, without a line's end.</summary>
    /// <param name="place">The object.</param>
    /// <param name="symbols">Names addresses, when there are any.</param>
    /// <param name="inHexadecimal">Numbers in hexadecimal.</param>
    /// <param name="indent">Columns that its braces stand from the left.</param>
    public static string Of(KernelObject place, KernelSymbols? symbols, bool inHexadecimal = false, int indent = 0)
    {
        if (place.Types is not { } types)
            return "<absent>";
        var text = new ObjectText(types, symbols, inHexadecimal);
        text.Append(place, indent, 0);
        return text._text.ToString();
    }

    /// <summary>A text as C writes it, NULs at its end left out.</summary>
    internal static string Quote(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder("\"");
        foreach (var character in Encoding.UTF8.GetString(bytes.TrimEnd((byte)0)))
            _ = character switch
            {
                '"' or '\\' => text.Append('\\').Append(character),
                '\n' => text.Append("\\n"),
                '\t' => text.Append("\\t"),
                _ when char.IsControl(character) => text.Append(CultureInfo.InvariantCulture, $"\\{Convert.ToString(character, 8).PadLeft(3, '0')}"),
                _ => text.Append(character),
            };
        return text.Append('"').ToString();
    }

    private void Append(KernelObject place, int indent, int depth)
    {
        var type = _types.Type(_types.Resolve(place.TypeId));
        if (_text.Length > LongestOutput || depth > Deepest)
            _text.Append("{...}");
        else if (type.Kind is TypeKind.Struct or TypeKind.Union)
            AppendMembers(place, type, indent, depth);
        else if (type.Kind == TypeKind.Array)
            AppendArray(place, type, indent, depth);
        else
            _text.Append(Scalar(place, type));
    }

    private void AppendMembers(KernelObject place, KernelType type, int indent, int depth)
    {
        _text.Append("{\n");
        for (var i = 0; i < type.Count; i++)
        {
            var name = type.NameOf(i);
            _text.Append(' ', indent + 2).Append(name.Length == 0 ? "" : $"{name} = ");
            Append(place.MemberAt(i), indent + 2, depth + 1);
            _text.Append(i + 1 < type.Count ? ",\n" : "\n");
        }
        _text.Append(' ', indent).Append('}');
    }

    private void AppendArray(KernelObject place, KernelType type, int indent, int depth)
    {
        var element = _types.Type(_types.Resolve(type.Target));
        if (element is { IsCharacter: true, Name: "char" } && type.Length > 0)
        {
            var bytes = new byte[Math.Min(type.Length, 4096)];
            _text.Append(_types.Memory.TryRead(place.Address, bytes) ? Quote(bytes) : Missing);
            return;
        }
        _text.Append('{');
        var isNested = element.Kind is TypeKind.Struct or TypeKind.Union;
        var shown = Math.Min((int)Math.Min(type.Length, int.MaxValue), MostElements);
        for (var i = 0; i < shown && _text.Length < LongestOutput; i++)
        {
            _text.Append(i == 0 ? "" : ", ");
            var at = _text.Length;
            Append(place[i], indent, depth + 1);
            var same = isNested ? 1 : Repeats(place, i, type.Length, _text.ToString(at, _text.Length - at));
            if (same >= ShortestRepeat)
            {
                _text.Append(CultureInfo.InvariantCulture, $" <repeats {same} times>");
                (i, shown) = (i + same - 1, Math.Min((int)Math.Min(type.Length, int.MaxValue), shown + same - 1));
            }
        }
        _text.Append(type.Length > shown ? "..." : "").Append('}');
    }

    // How many elements from this one on read the same; never more than a page of them are looked at.
    private int Repeats(KernelObject array, int from, uint length, string text)
    {
        var count = 1;
        while (count < 4096 && from + count < length)
        {
            var next = array[from + count];
            var type = _types.Type(_types.Resolve(next.TypeId));
            if (type.Kind is TypeKind.Array || Scalar(next, type) != text)
                break;
            count++;
        }
        return count;
    }

    private string Scalar(KernelObject place, KernelType type)
    {
        if (type.Kind is TypeKind.Void or TypeKind.Forward or TypeKind.Function or TypeKind.FunctionPrototype)
            return "<no value>";
        if (place.Unsigned is not { } value)
            return type.Size > 8 ? Wide(place, type) : Missing;
        if (type.Kind == TypeKind.Pointer)
            return Pointer(place, value);
        if (type.Kind is TypeKind.Enum or TypeKind.Enum64)
            return _types.EnumName(type.Id, place.Signed!.Value) ?? Number(place, value);
        if (type.IsBoolean && value <= 1)
            return value == 1 ? "true" : "false";
        return Number(place, value);
    }

    private string Wide(KernelObject place, KernelType type)
    {
        var bytes = new byte[Math.Min(type.Size, 64)];
        if (!_types.Memory.TryRead(place.Address, bytes))
            return Missing;
        Array.Reverse(bytes);
        return $"0x{Convert.ToHexStringLower(bytes).TrimStart('0').PadLeft(1, '0')}";
    }

    private string Pointer(KernelObject place, ulong value)
    {
        var text = $"0x{value:x}";
        // Only a symbol that begins there names it: a pointer into the heap has none, and one into a function is better seen by its offset.
        if (value != 0 && _symbols is not null && _symbols.TryResolve(value, out var match))
            text += match.Start == value ? $" <{match.Name}>" : $" <{match.Name}+{value - match.Start}>";
        if (place.Types!.Type(place.Types.Resolve(_types.Type(_types.Resolve(place.TypeId)).Target)) is { IsCharacter: true, Name: "char" } && place.TextBytes() is { } bytes)
            text += $" {Quote(bytes)}";
        return text;
    }

    private string Number(KernelObject place, ulong value) =>
        _inHexadecimal ? $"0x{value:x}" : place.Signed is { } signed and < 0 && _types.Type(_types.Resolve(place.TypeId)).IsSigned
            ? signed.ToString(CultureInfo.InvariantCulture)
            : value.ToString(CultureInfo.InvariantCulture);
}
