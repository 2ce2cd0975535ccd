using System.Buffers.Binary;
using System.Text;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Types;

/// <summary>
/// A typed place in the kernel's memory, read as <c>task["mm"]["owner"]["comm"].Text</c>. What is not there does not exist, and neither
/// does anything below it: a chain of members needs one test at its end. The default does not exist.
/// </summary>
public readonly struct KernelObject
{
    /// <summary>The longest text that is read, in bytes.</summary>
    public const int LongestText = KernelMemory.LongestText;

    private readonly KernelTypes? _types;
    private readonly byte _bitShift;
    private readonly byte _bitSize;

    internal KernelObject(KernelTypes types, int typeId, ulong address, int bitShift = 0, int bitSize = 0) =>
        (_types, TypeId, Address, _bitShift, _bitSize) = (types, typeId, address, (byte)bitShift, (byte)bitSize);

    /// <summary>Virtual address of its first byte; 0 when it does not exist.</summary>
    public ulong Address { get; }

    /// <summary>Its type.</summary>
    public int TypeId { get; }

    /// <summary>False when a member is absent, or a pointer on the way was null, an error number or unreadable. Says nothing of its own bytes.</summary>
    public bool Exists => _types is not null;

    /// <summary>Bits of a bitfield; 0 for all else.</summary>
    public int BitSize => _bitSize;

    /// <summary>Bytes of its type; 0 when the type does not tell.</summary>
    public int Size => _types?.SizeOf(TypeId) ?? 0;

    /// <summary>What its type is, typedefs and qualifiers taken off.</summary>
    public TypeKind Kind => _types is null ? TypeKind.Void : Resolved.Kind;

    /// <summary>Its value without a sign, sized by its type: integers, enumerations, pointers, truth values, bitfields, and structures with nothing
    /// else in them (<c>atomic_t</c>). Null when it has none or its bytes are not in the dump.</summary>
    public ulong? Unsigned => Value(out _);

    /// <summary>The value as <see cref="Unsigned"/>, negative where its type has a sign.</summary>
    public long? Signed => Value(out var sign) is { } bits ? unchecked((long)bits << sign >> sign) : null;

    /// <summary>The value as an address; null for types of fewer than 8 bytes.</summary>
    public ulong? Pointer => _bitSize == 0 && Size == 8 ? Unsigned : null;

    /// <summary>An array of characters, or those a pointer points to, up to the NUL; at most 4096 bytes, which need not be UTF-8.</summary>
    public string? Text => TextBytes() is { } bytes ? Encoding.UTF8.GetString(bytes) : null;

    /// <summary>What a pointer points to; this place itself when it is no pointer.</summary>
    public KernelObject Target
    {
        get
        {
            if (_types is null || Resolved is not { Kind: TypeKind.Pointer } pointer)
                return this;
            // The last page of addresses holds error numbers (linux/err.h).
            return Unsigned is { } address && address != 0 && address < unchecked((ulong)-4095)
                ? new KernelObject(_types, pointer.Target, address)
                : default;
        }
    }

    /// <summary>The types it was read by; null when it does not exist.</summary>
    public KernelTypes? Types => _types;

    private KernelType Resolved => _types!.Type(_types.Resolve(TypeId));

    /// <summary>A member, by a path of names; pointers on the way are followed.</summary>
    public KernelObject this[string path]
    {
        get
        {
            var here = Target;
            if (here._types is null)
                return default;
            if (here._types.FindMember(here.TypeId, path) is { } member)
                return here.At(member);
            ReadOnlySpan<char> rest = path;
            while (!rest.IsEmpty)
            {
                here = here.Target;
                if (here._types is null || !MemberPath.TrySplit(rest, out var name, out var indexes, out rest))
                    return default;
                if (!name.IsEmpty)
                    here = MemberPath.Direct(here._types, here.TypeId, name) is { } direct ? here.At(direct) : default;
                while (!indexes.IsEmpty)
                {
                    if (!MemberPath.TryIndex(ref indexes, out var index))
                        return default;
                    here = here[index];
                }
            }
            return here;
        }
    }

    /// <summary>An element of an array, or of what a pointer points to; outside the array's length it does not exist.</summary>
    public KernelObject this[int index]
    {
        get
        {
            if (_types is null)
                return default;
            var type = Resolved;
            var (start, element) = (Address, type.Target);
            if (type.Kind == TypeKind.Array)
            {
                if (index < 0 || (type.Length != 0 && (uint)index >= type.Length))
                    return default;
            }
            else if (type.Kind == TypeKind.Pointer && Target is { Exists: true } target)
            {
                start = target.Address;
            }
            else
            {
                return default;
            }
            return _types.SizeOf(element) is { } size ? new KernelObject(_types, element, unchecked(start + (ulong)((long)index * size))) : default;
        }
    }

    /// <summary>A structure's own member by its number, nameless ones among them.</summary>
    internal KernelObject MemberAt(int index)
    {
        if (_types is null)
            return default;
        var id = Resolved.MemberAt(index, out var offset, out var bits);
        return new KernelObject(_types, id, unchecked(Address + offset / 8), (int)(offset % 8), bits);
    }

    /// <summary>The same address as another type; one that does not exist when there is no such type.</summary>
    public KernelObject Cast(string structure) => _types?.At(structure, Address) ?? default;

    /// <summary>The first of the paths that exists: the names a member had over the years.</summary>
    public KernelObject First(params ReadOnlySpan<string> paths)
    {
        foreach (var path in paths)
            if (this[path] is { Exists: true } found)
                return found;
        return default;
    }

    /// <summary>The text's bytes: see <see cref="Text"/>.</summary>
    public byte[]? TextBytes()
    {
        if (_types is null)
            return null;
        var type = Resolved;
        if (!_types.Type(_types.Resolve(type.Target)).IsCharacter)
            return null;
        var (at, length) = (Address, LongestText);
        if (type.Kind == TypeKind.Array)
            length = type.Length == 0 ? LongestText : (int)Math.Min(type.Length, LongestText);
        else if (type.Kind == TypeKind.Pointer && Target is { Exists: true } target)
            at = target.Address;
        else
            return null;
        return _types.Memory.TryReadText(at, length, out var text) ? text : null;
    }

    private KernelObject At(Member member) => new(_types!, member.TypeId, unchecked(Address + member.Offset), (int)(member.BitOffset % 8), member.BitSize);

    // The bits, and by how many they are shifted left so that the highest is the sign; 0 when the type has no sign.
    private ulong? Value(out int sign)
    {
        sign = 0;
        if (_types is null)
            return null;
        var type = Resolved;
        for (var depth = 0; type.Kind is TypeKind.Struct or TypeKind.Union && depth < 8; depth++)
        {
            var inner = _types.Type(_types.Resolve(type.MemberAt(0, out var offset, out var bitSize)));
            if (offset != 0 || bitSize != 0 || (type.Kind == TypeKind.Struct && type.Count != 1))
                return null;
            type = inner;
        }
        if (type.Kind is not (TypeKind.Int or TypeKind.Enum or TypeKind.Enum64 or TypeKind.Pointer))
            return null;
        var size = type.Kind == TypeKind.Pointer ? 8 : type.Size;
        if (size is 0 or > 8)
            return null;
        var bits = _bitSize == 0 ? (int)size * 8 : _bitSize;
        var length = (_bitShift + bits + 7) / 8;
        Span<byte> bytes = stackalloc byte[16];
        if (bits > 64 || length > 9 || !_types.Memory.TryRead(Address, bytes[..length]))
            return null;
        if (type.IsSigned)
            sign = 64 - bits;
        var value = BinaryPrimitives.ReadUInt64LittleEndian(bytes) >> _bitShift;
        if (length > 8)
            value |= (ulong)bytes[8] << (64 - _bitShift);
        return bits == 64 ? value : value & ((1UL << bits) - 1);
    }
}
