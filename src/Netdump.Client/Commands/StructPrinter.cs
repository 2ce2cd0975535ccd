using System.Text.Json;
using Netdump.Kernel;
using Netdump.Kernel.Types;

namespace Netdump.Client.Commands;

/// <summary>Prints types and objects for <c>netdump struct</c>.</summary>
internal sealed class StructPrinter(CrashedKernel kernel, StructRequest wanted, bool withOffsets, bool inHexadecimal)
{
    private readonly KernelTypes _types = wanted.Types;

    private string Name => CDeclaration.Of(_types, wanted.TypeId, "");

    /// <summary>The type, or of it the members that were asked for.</summary>
    public void WriteLayout(TextWriter output)
    {
        if (wanted.Members.Count == 0)
        {
            TypeLayout.Write(output, _types, wanted.TypeId, withOffsets, inHexadecimal);
            return;
        }
        output.WriteLine($"{Name} {{");
        foreach (var path in wanted.Members)
        {
            var member = _types.FindMember(wanted.TypeId, path) ?? throw new ClientException($"{path}: a pointer lies on the way; name an ADDRESS to follow it");
            output.WriteLine($"{$"[{Number(member.Offset)}]",8} {CDeclaration.Of(_types, member.TypeId, path)}{(member.BitSize == 0 ? "" : $" : {member.BitSize}")};");
        }
        output.WriteLine("}");
    }

    /// <summary>The same for programs.</summary>
    public void WriteLayout(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", Name);
        if (_types.SizeOf(wanted.TypeId) is { } size)
            json.WriteNumber("size", size);
        if (_types.Module is { } module)
            json.WriteString("module", module);
        json.WriteStartArray("members");
        if (wanted.Members.Count == 0)
            foreach (var line in TypeLayout.Members(_types, wanted.TypeId).Where(line => line.Name.Length > 0))
                WriteMember(json, line.Name, line.TypeId, line.BitOffset, line.BitSize, line.Size);
        else
            foreach (var path in wanted.Members)
                if (_types.FindMember(wanted.TypeId, path) is { } member)
                    WriteMember(json, path, member.TypeId, member.BitOffset, member.BitSize, member.Size);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Objects, each with its address before it when there can be several.</summary>
    public void WriteObjects(TextWriter output, IEnumerable<KernelObject> objects, bool isOne)
    {
        foreach (var each in objects)
        {
            if (!isOne)
                output.WriteLine($"{each.Address:x16}");
            if (wanted.Members.Count == 0)
            {
                var text = ObjectText.Of(each, kernel.Symbols, inHexadecimal);
                output.WriteLine(text.StartsWith('{') ? $"{Name} {text}" : text);
                continue;
            }
            foreach (var path in wanted.Members)
            {
                var place = each[path];
                var at = withOffsets && place.Exists ? $"{$"[{Number(unchecked(place.Address - each.Address))}]",8} " : "  ";
                output.WriteLine($"{at}{path} = {(place.Exists ? ObjectText.Of(place, kernel.Symbols, inHexadecimal, 2) : "<absent>")}");
            }
        }
    }

    /// <summary>The same for programs.</summary>
    public void WriteObjects(Utf8JsonWriter json, IEnumerable<KernelObject> objects, bool isOne)
    {
        json.WriteStartObject();
        json.WriteString("type", Name);
        if (!isOne)
            json.WriteStartArray("objects");
        foreach (var each in objects)
        {
            if (!isOne)
                json.WriteStartObject();
            json.WriteString("address", KernelArgument.Hex(each.Address));
            json.WritePropertyName("value");
            if (wanted.Members.Count == 0)
            {
                ObjectJson.Write(json, each);
            }
            else
            {
                json.WriteStartObject();
                foreach (var path in wanted.Members)
                {
                    json.WritePropertyName(path);
                    ObjectJson.Write(json, each[path]);
                }
                json.WriteEndObject();
            }
            if (!isOne)
                json.WriteEndObject();
        }
        if (!isOne)
            json.WriteEndArray();
        json.WriteEndObject();
    }

    private void WriteMember(Utf8JsonWriter json, string name, int type, ulong bitOffset, int bitSize, int size)
    {
        json.WriteStartObject();
        json.WriteString("name", name);
        json.WriteString("type", CDeclaration.Of(_types, type, ""));
        json.WriteNumber("offset", bitOffset / 8);
        json.WriteNumber("size", size);
        if (bitSize != 0)
        {
            json.WriteNumber("bit_offset", bitOffset % 8);
            json.WriteNumber("bits", bitSize);
        }
        json.WriteEndObject();
    }

    private string Number(ulong value) => inHexadecimal ? $"0x{value:x}" : $"{value}";
}
