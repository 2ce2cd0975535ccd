using System.Text.Json;

namespace Netdump.Kernel.Types;

/// <summary>Values of objects as JSON: structures are objects with the members of nameless ones among theirs, pointers are text in hexadecimal,
/// texts are texts, values of enumerations their names, and what is not in the dump is null.</summary>
public static class ObjectJson
{
    private const int Deepest = 16;
    private const int MostElements = 4096;
    private const long LongestOutput = 16 << 20;

    /// <summary>Writes one value.</summary>
    public static void Write(Utf8JsonWriter json, KernelObject place) => Write(json, place, 0);

    private static void Write(Utf8JsonWriter json, KernelObject place, int depth)
    {
        if (place.Types is not { } types || depth > Deepest || json.BytesCommitted + json.BytesPending > LongestOutput)
        {
            json.WriteNullValue();
            return;
        }
        var type = types.Type(types.Resolve(place.TypeId));
        if (type.Kind is TypeKind.Struct or TypeKind.Union)
        {
            json.WriteStartObject();
            WriteMembers(json, place, type, depth);
            json.WriteEndObject();
        }
        else if (type.Kind == TypeKind.Array)
        {
            WriteArray(json, place, type, depth);
        }
        else
        {
            WriteScalar(json, place, type);
        }
    }

    private static void WriteMembers(Utf8JsonWriter json, KernelObject place, KernelType type, int depth)
    {
        for (var i = 0; i < type.Count; i++)
        {
            var name = type.NameOf(i);
            var member = place.MemberAt(i);
            var inner = member.Types!.Type(member.Types.Resolve(member.TypeId));
            if (name.Length > 0)
            {
                json.WritePropertyName(name);
                Write(json, member, depth + 1);
            }
            else if (inner.Kind is TypeKind.Struct or TypeKind.Union && depth < Deepest && json.BytesCommitted + json.BytesPending < LongestOutput)
            {
                WriteMembers(json, member, inner, depth + 1);
            }
        }
    }

    private static void WriteArray(Utf8JsonWriter json, KernelObject place, KernelType type, int depth)
    {
        var element = place.Types!.Type(place.Types.Resolve(type.Target));
        if (element is { IsCharacter: true, Name: "char" } && type.Length > 0)
        {
            json.WriteStringValue(place.Text);
            return;
        }
        json.WriteStartArray();
        for (var i = 0; i < (int)Math.Min(type.Length, MostElements); i++)
            Write(json, place[i], depth + 1);
        json.WriteEndArray();
    }

    private static void WriteScalar(Utf8JsonWriter json, KernelObject place, KernelType type)
    {
        if (place.Unsigned is not { } value)
            json.WriteNullValue();
        else if (type.Kind == TypeKind.Pointer)
            json.WriteStringValue($"0x{value:x}");
        else if (type.Kind is TypeKind.Enum or TypeKind.Enum64 && place.Types!.EnumName(type.Id, place.Signed!.Value) is { } name)
            json.WriteStringValue(name);
        else if (type.IsBoolean && value <= 1)
            json.WriteBooleanValue(value == 1);
        else if (place.Signed is { } signed and < 0 && type.IsSigned)
            json.WriteNumberValue(signed);
        else
            json.WriteNumberValue(value);
    }
}
