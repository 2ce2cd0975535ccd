using System.Buffers.Binary;
using System.Text;

namespace Netdump.Client.Image;

/// <summary>
/// The few sections of a 64-bit little-endian ELF file that building an image needs: what a module says of itself and what a program links to.
/// (System V ABI, chapters 4 and 5.) Wrong files have no sections.
/// </summary>
public sealed class ElfObject
{
    private const int NeededTag = 1, SonameTag = 14; // DT_NEEDED, DT_SONAME

    private readonly ReadOnlyMemory<byte> _file;
    private readonly Dictionary<string, (int Offset, int Length)> _sections = [];

    /// <summary>Reads the section table of a file's bytes.</summary>
    public ElfObject(ReadOnlyMemory<byte> file)
    {
        _file = file;
        ReadOnlySpan<byte> f = file.Span;
        if (f.Length < 64 || !f.StartsWith("\u007fELF"u8) || f[4] != 2 || f[5] != 1) return;
        ulong table = BinaryPrimitives.ReadUInt64LittleEndian(f[40..]);
        int size = BinaryPrimitives.ReadUInt16LittleEndian(f[58..]), count = BinaryPrimitives.ReadUInt16LittleEndian(f[60..]);
        int names = BinaryPrimitives.ReadUInt16LittleEndian(f[62..]);
        if (size < 64 || table > (ulong)f.Length || names >= count || (ulong)(size * (long)count) > (ulong)f.Length - table) return;
        if (Header(names) is not { } nameTable) return;
        for (int i = 0; i < count; i++)
        {
            int nameOffset = BinaryPrimitives.ReadInt32LittleEndian(f[((int)table + (i * size))..]);
            if (Header(i) is { } range) _sections[Text(f.Slice(nameTable.Offset, nameTable.Length), nameOffset)] = range;
        }

        (int Offset, int Length)? Header(int index)
        {
            ReadOnlySpan<byte> h = _file.Span.Slice((int)table + (index * size), 64);
            const int NoBits = 8; // SHT_NOBITS has no bytes in the file
            ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(h[24..]), length = BinaryPrimitives.ReadUInt64LittleEndian(h[32..]);
            if (BinaryPrimitives.ReadInt32LittleEndian(h[4..]) == NoBits || offset > (ulong)_file.Length || length > (ulong)_file.Length - offset) return null;
            return ((int)offset, (int)length);
        }
    }

    /// <summary>Values of a key in a kernel module's <c>.modinfo</c> section: NUL-terminated <c>key=value</c> texts.</summary>
    public IReadOnlyList<string> ModuleInfo(string key)
    {
        var found = new List<string>();
        ReadOnlySpan<byte> rest = Section(".modinfo");
        while (rest.Length > 0)
        {
            int end = rest.IndexOf((byte)0);
            ReadOnlySpan<byte> entry = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            int equals = entry.IndexOf((byte)'=');
            if (equals > 0 && Encoding.ASCII.GetString(entry[..equals]) == key) found.Add(Encoding.UTF8.GetString(entry[(equals + 1)..]));
        }
        return found;
    }

    /// <summary>The program loader a program asks for (<c>.interp</c>), or null.</summary>
    public string? Interpreter => Section(".interp") is { Length: > 1 } s ? Text(s, 0) : null;

    /// <summary>Names of the shared libraries it links to.</summary>
    public IReadOnlyList<string> Needed => Dynamic(NeededTag);

    /// <summary>The name others link to it by, or null.</summary>
    public string? Soname => Dynamic(SonameTag) is [string name, ..] ? name : null;

    private List<string> Dynamic(int tag)
    {
        var found = new List<string>();
        ReadOnlySpan<byte> table = Section(".dynamic"), strings = Section(".dynstr");
        for (; table.Length >= 16; table = table[16..])
            if (BinaryPrimitives.ReadInt64LittleEndian(table) == tag && BinaryPrimitives.ReadInt64LittleEndian(table[8..]) is >= 0 and <= int.MaxValue and long at)
                found.Add(Text(strings, (int)at));
        return found;
    }

    private ReadOnlySpan<byte> Section(string name) =>
        _sections.TryGetValue(name, out (int Offset, int Length) range) ? _file.Span.Slice(range.Offset, range.Length) : default;

    private static string Text(ReadOnlySpan<byte> table, int offset)
    {
        if ((uint)offset >= (uint)table.Length) return "";
        ReadOnlySpan<byte> rest = table[offset..];
        int end = rest.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? rest : rest[..end]);
    }
}
