using System.Buffers.Binary;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Types;

/// <summary>
/// One BTF blob (include/uapi/linux/btf.h): the kernel's, or a module's on top of it (then ids and strings go on where the kernel's end).
/// Kept as bytes, with the place of each type and an index by name; a type is looked at when it is asked for.
/// </summary>
internal sealed class BtfTable
{
    /// <summary>The most bytes of a blob that are read; the largest kernel's has 6 MB.</summary>
    public const int LargestBlob = 24 << 20;

    /// <summary>Bytes of the header.</summary>
    public const int HeaderLength = 24;

    /// <summary>The most bytes a name has (KSYM_NAME_LEN).</summary>
    public const int LongestName = 511;

    private const int MostTypes = 1 << 20;

    private readonly MemoryView _bytes;
    private readonly BtfTable? _parent;
    private readonly int _strings;
    private readonly int _stringLength;
    private readonly int _firstString;
    private readonly int[] _places;
    private int[]? _index;

    private BtfTable(MemoryView bytes, BtfTable? parent, int strings, int stringLength, int[] places)
    {
        (_bytes, _parent, _strings, _stringLength, _places) = (bytes, parent, strings, stringLength, places);
        FirstId = parent?.NextId ?? 1;
        _firstString = parent is null ? 0 : parent._firstString + parent._stringLength;
    }

    /// <summary>The first id of this blob; lower ones are the parent's.</summary>
    public int FirstId { get; }

    /// <summary>The id behind the last one: for the kernel's blob the number of types with void.</summary>
    public int NextId => FirstId + _places.Length;

    /// <summary>Where the first string of a blob on top of this one is counted from.</summary>
    public int NextString => _firstString + _stringLength;

    /// <summary>Reads the header's lengths.</summary>
    /// <param name="header">At least <see cref="HeaderLength"/> bytes.</param>
    /// <param name="total">Bytes of the blob.</param>
    /// <returns>What is wrong with it, or null.</returns>
    public static string? Measure(ReadOnlySpan<byte> header, out int total)
    {
        total = 0;
        if (header.Length < HeaderLength)
            return $"BTF of {header.Length} bytes has no header";
        var magic = BinaryPrimitives.ReadUInt16LittleEndian(header);
        if (magic != 0xeb9f)
            return magic == 0x9feb ? "BTF is big-endian" : $"BTF has the magic 0x{magic:x4}, not 0xeb9f";
        if (header[2] != 1)
            return $"BTF version {header[2]} is newer than this program, which knows 1";
        ulong length = BinaryPrimitives.ReadUInt32LittleEndian(header[4..]);
        var types = length + BinaryPrimitives.ReadUInt32LittleEndian(header[8..]) + BinaryPrimitives.ReadUInt32LittleEndian(header[12..]);
        var strings = length + BinaryPrimitives.ReadUInt32LittleEndian(header[16..]) + BinaryPrimitives.ReadUInt32LittleEndian(header[20..]);
        if (length < HeaderLength || Math.Max(types, strings) > LargestBlob)
            return $"BTF header has lengths that no kernel has (header {length} bytes, whole {Math.Max(types, strings)})";
        total = (int)Math.Max(types, strings);
        return null;
    }

    /// <summary>Finds the places of all types.</summary>
    /// <param name="bytes">The blob; kept.</param>
    /// <param name="parent">The kernel's blob when this one is a module's.</param>
    /// <param name="trouble">What is wrong. With a table as the result, the types behind that place are missing from it.</param>
    public static BtfTable? Parse(MemoryView bytes, BtfTable? parent, out string? trouble)
    {
        trouble = Measure(bytes.Span, out var total);
        if (trouble is null && total > bytes.Length)
            trouble = $"BTF ends after {bytes.Length} of {total} bytes";
        if (trouble is not null)
            return null;
        var header = bytes.Span;
        var headerLength = BinaryPrimitives.ReadInt32LittleEndian(header[4..]);
        var at = headerLength + BinaryPrimitives.ReadInt32LittleEndian(header[8..]);
        var end = at + BinaryPrimitives.ReadInt32LittleEndian(header[12..]);
        var strings = headerLength + BinaryPrimitives.ReadInt32LittleEndian(header[16..]);
        var stringLength = BinaryPrimitives.ReadInt32LittleEndian(header[20..]);

        var most = MostTypes - (parent?.NextId ?? 1);
        var places = new int[Math.Clamp((end - at) / 24, 16, MostTypes)];
        var count = 0;
        while (at < end)
        {
            if (count >= most)
            {
                trouble = $"BTF has more than {MostTypes} types";
                break;
            }
            var length = end - at < 12 ? -1 : LengthOf(BinaryPrimitives.ReadUInt32LittleEndian(header[(at + 4)..]));
            if (length < 0 || length > end - at)
            {
                var kind = end - at < 12 ? 0 : (header[at + 7] & 0x1f);
                trouble = length < 0 && end - at >= 12
                    ? kind == 0
                        ? $"BTF type {count + (parent?.NextId ?? 1)} at offset 0x{at:x} has no kind"
                        : $"BTF kind {kind} (type {count + (parent?.NextId ?? 1)}, offset 0x{at:x}) is newer than this program"
                    : $"BTF type {count + (parent?.NextId ?? 1)} at offset 0x{at:x} reaches past the end of the types";
                break;
            }
            if (count == places.Length)
                Array.Resize(ref places, Math.Min(MostTypes, count * 2));
            places[count++] = at;
            at += length;
        }
        Array.Resize(ref places, count);
        return new BtfTable(bytes, parent, strings, stringLength, places);
    }

    /// <summary>The type of an id; void for 0 and for ids that there are not.</summary>
    public KernelType Type(int id)
    {
        var table = this;
        while (id < table.FirstId && table._parent is { } parent)
            table = parent;
        var index = id - table.FirstId;
        return (uint)index < (uint)table._places.Length ? new KernelType(table, id, table._places[index]) : default;
    }

    /// <summary>4 bytes of a type, little-endian; the caller stays inside of the type.</summary>
    public uint Word(int place) => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.Span[place..]);

    /// <summary>A string without its NUL; empty when the offset is none of a string.</summary>
    public ReadOnlySpan<byte> String(uint offset)
    {
        var table = this;
        while (offset < (uint)table._firstString && table._parent is { } parent)
            table = parent;
        var local = (long)offset - table._firstString;
        if (local < 0 || local >= table._stringLength)
            return default;
        ReadOnlySpan<byte> rest = table._bytes.Span.Slice(table._strings + (int)local, Math.Min(LongestName, table._stringLength - (int)local));
        var end = rest.IndexOf((byte)0);
        return end < 0 ? rest : rest[..end];
    }

    /// <summary>The first type of a name and kind; 0 when there is none. The parent's come first.</summary>
    public int Find(ReadOnlySpan<byte> name, TypeKind kind)
    {
        if (name.IsEmpty || name.Length > LongestName)
            return 0;
        if (_parent is { } parent && parent.Find(name, kind) is var inherited and not 0)
            return inherited;
        _index ??= BuildIndex();
        var mask = _index.Length - 1;
        for (var slot = Hash(name, kind) & mask; _index[slot] != 0; slot = (slot + 1) & mask)
        {
            var type = Type(_index[slot]);
            if (type.Kind == kind && type.NameBytes.SequenceEqual(name))
                return _index[slot];
        }
        return 0;
    }

    private static bool IsIndexed(TypeKind kind) => kind is TypeKind.Int or TypeKind.Struct or TypeKind.Union or TypeKind.Enum
        or TypeKind.Typedef or TypeKind.Variable or TypeKind.Enum64 or TypeKind.Forward;

    private static int Hash(ReadOnlySpan<byte> name, TypeKind kind)
    {
        // Seeded at random by the runtime: a hostile dump cannot aim its names at one slot.
        var hash = default(HashCode);
        hash.AddBytes(name);
        hash.Add((byte)kind);
        return hash.ToHashCode() & int.MaxValue;
    }

    // Open addressing, one int a slot, at most half full. Of types with the same name and kind only the first is in it.
    private int[] BuildIndex()
    {
        var named = 0;
        foreach (var place in _places)
            if (Word(place) != 0 && IsIndexed((TypeKind)((Word(place + 4) >> 24) & 0x1f)))
                named++;
        var index = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, named * 2))];
        var mask = index.Length - 1;
        for (var id = FirstId; id < NextId; id++)
        {
            var type = new KernelType(this, id, _places[id - FirstId]);
            if (!IsIndexed(type.Kind) || type.NameBytes is not { IsEmpty: false } name)
                continue;
            var slot = Hash(name, type.Kind) & mask;
            while (index[slot] != 0 && !(Type(index[slot]) is var other && other.Kind == type.Kind && other.NameBytes.SequenceEqual(name)))
                slot = (slot + 1) & mask;
            if (index[slot] == 0)
                index[slot] = id;
        }
        return index;
    }

    // Bytes of a type with this info word; negative when the kind is not known, so that the next type cannot be found.
    private static int LengthOf(uint info)
    {
        var count = (int)(info & 0xffff);
        return 12 + (TypeKind)((info >> 24) & 0x1f) switch
        {
            TypeKind.Int or TypeKind.Variable or TypeKind.DeclTag => 4,
            TypeKind.Array => 12,
            TypeKind.Struct or TypeKind.Union or TypeKind.DataSection or TypeKind.Enum64 => 12 * count,
            TypeKind.Enum or TypeKind.FunctionPrototype => 8 * count,
            TypeKind.Pointer or TypeKind.Forward or TypeKind.Typedef or TypeKind.Volatile or TypeKind.Const or TypeKind.Restrict
                or TypeKind.Function or TypeKind.Float or TypeKind.TypeTag => 0,
            _ => -13,
        };
    }
}
