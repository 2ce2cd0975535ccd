using System.Text;

namespace Netdump.Kernel.Types;

/// <summary>One type, looked at where it lies in the BTF. The default is void.</summary>
public readonly struct KernelType
{
    private readonly BtfTable? _table;
    private readonly int _place;

    internal KernelType(BtfTable table, int id, int place) => (_table, Id, _place) = (table, id, place);

    /// <summary>Its id; 0 is void.</summary>
    public int Id { get; }

    /// <summary>What it is.</summary>
    public TypeKind Kind => (TypeKind)((Info >> 24) & 0x1f);

    /// <summary>Its name; empty when it has none.</summary>
    public string Name => Encoding.UTF8.GetString(NameBytes);

    /// <summary>How many members, values, parameters or variables it has.</summary>
    public int Count => Kind is TypeKind.Struct or TypeKind.Union or TypeKind.Enum or TypeKind.Enum64 or TypeKind.FunctionPrototype
        or TypeKind.DataSection ? (int)(Info & 0xffff) : 0;

    /// <summary>Bytes, for the kinds that say it themselves; 0 else.</summary>
    public uint Size => Kind is TypeKind.Int or TypeKind.Struct or TypeKind.Union or TypeKind.Enum or TypeKind.Enum64 or TypeKind.Float
        or TypeKind.DataSection ? _table!.Word(_place + 8) : 0;

    /// <summary>The type a pointer points to, an array's element, what a typedef, variable or function stands for; 0 else.</summary>
    public int Target => Kind switch
    {
        TypeKind.Pointer or TypeKind.Typedef or TypeKind.Volatile or TypeKind.Const or TypeKind.Restrict or TypeKind.Function
            or TypeKind.FunctionPrototype or TypeKind.Variable or TypeKind.TypeTag or TypeKind.DeclTag => IdAt(_place + 8),
        TypeKind.Array => IdAt(_place + 12),
        _ => 0,
    };

    /// <summary>Elements of an array; 0 is a flexible array.</summary>
    public uint Length => Kind == TypeKind.Array ? _table!.Word(_place + 20) : 0;

    /// <summary>Whether the integer or enumeration has a sign.</summary>
    public bool IsSigned => Kind == TypeKind.Int ? (Encoding24 & 1) != 0 : Kind is TypeKind.Enum or TypeKind.Enum64 && IsFlagged;

    /// <summary>Whether it is a character (<c>char</c> and its unsigned twin).</summary>
    public bool IsCharacter => Kind == TypeKind.Int && Size == 1 && !IsBoolean;

    /// <summary>Whether it is a truth value.</summary>
    public bool IsBoolean => Kind == TypeKind.Int && (Encoding24 & 4) != 0;

    /// <summary>Whether a declared type is a union.</summary>
    public bool IsUnion => Kind == TypeKind.Union || (Kind == TypeKind.Forward && IsFlagged);

    internal ReadOnlySpan<byte> NameBytes => _table is null ? default : _table.String(_table.Word(_place));

    internal bool IsNameless => _table is null || _table.Word(_place) == 0;

    private uint Info => _table?.Word(_place + 4) ?? 0;

    private bool IsFlagged => Info >> 31 != 0;

    private uint Encoding24 => (_table!.Word(_place + 12) >> 24) & 15;

    /// <summary>The name of a member, value, or parameter.</summary>
    /// <param name="index">From 0 to <see cref="Count"/> - 1.</param>
    public string NameOf(int index) => Encoding.UTF8.GetString(NameBytesOf(index));

    /// <summary>A member's place and type, without the members of nameless members.</summary>
    /// <param name="index">From 0 to <see cref="Count"/> - 1.</param>
    /// <param name="bitOffset">Bits from the start.</param>
    /// <param name="bitSize">Bits of a bitfield, else 0.</param>
    /// <returns>The member's type.</returns>
    public int MemberAt(int index, out ulong bitOffset, out int bitSize)
    {
        (bitOffset, bitSize) = (0, 0);
        if (Kind is not (TypeKind.Struct or TypeKind.Union) || (uint)index >= (uint)Count)
            return 0;
        var at = _place + 12 + 12 * index;
        var type = IdAt(at + 4);
        var offset = _table!.Word(at + 8);
        if (IsFlagged)
        {
            (bitOffset, bitSize) = (offset & 0xffffff, (int)(offset >> 24));
            return type;
        }
        bitOffset = offset;
        // Compilers before bitfields had a place of their own in BTF: the integer says how many of its bits count.
        var integer = _table.Type(type);
        if (integer.Kind == TypeKind.Int && integer._table!.Word(integer._place + 12) is var encoding
            && (encoding & 0xff) is var bits && bits != 0 && bits != integer.Size * 8)
        {
            bitOffset += (encoding >> 16) & 0xff;
            bitSize = (int)bits;
        }
        return type;
    }

    /// <summary>The value of an enumeration's name.</summary>
    /// <param name="index">From 0 to <see cref="Count"/> - 1.</param>
    public long ValueOf(int index)
    {
        if ((uint)index >= (uint)Count)
            return 0;
        if (Kind == TypeKind.Enum64)
            return unchecked((long)((ulong)_table!.Word(_place + 16 + 12 * index) | ((ulong)_table.Word(_place + 20 + 12 * index) << 32)));
        if (Kind != TypeKind.Enum)
            return 0;
        var value = unchecked((int)_table!.Word(_place + 16 + 8 * index));
        return IsFlagged || Size < 4 ? value : unchecked((uint)value);
    }

    /// <summary>A parameter's type; 0 for the last one of a function with any number of them.</summary>
    /// <param name="index">From 0 to <see cref="Count"/> - 1.</param>
    public int ParameterAt(int index) =>
        Kind == TypeKind.FunctionPrototype && (uint)index < (uint)Count ? IdAt(_place + 16 + 8 * index) : 0;

    internal ReadOnlySpan<byte> NameBytesOf(int index)
    {
        if ((uint)index >= (uint)Count || Kind == TypeKind.DataSection)
            return default;
        var stride = Kind is TypeKind.Enum or TypeKind.FunctionPrototype ? 8 : 12;
        return _table!.String(_table.Word(_place + 12 + stride * index));
    }

    private int IdAt(int place) => _table!.Word(place) is var id && id <= int.MaxValue ? (int)id : 0;
}
