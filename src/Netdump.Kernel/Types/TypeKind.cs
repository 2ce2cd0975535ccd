namespace Netdump.Kernel.Types;

/// <summary>What a type of the kernel is, numbered as in BTF (include/uapi/linux/btf.h).</summary>
public enum TypeKind : byte
{
    /// <summary>No type: id 0.</summary>
    Void = 0,

    /// <summary>An integer, character or truth value.</summary>
    Int = 1,

    /// <summary>A pointer.</summary>
    Pointer = 2,

    /// <summary>An array.</summary>
    Array = 3,

    /// <summary>A structure.</summary>
    Struct = 4,

    /// <summary>A union.</summary>
    Union = 5,

    /// <summary>An enumeration of at most 32 bits.</summary>
    Enum = 6,

    /// <summary>A structure or union that is only declared.</summary>
    Forward = 7,

    /// <summary>Another name for a type.</summary>
    Typedef = 8,

    /// <summary>volatile.</summary>
    Volatile = 9,

    /// <summary>const.</summary>
    Const = 10,

    /// <summary>restrict.</summary>
    Restrict = 11,

    /// <summary>A function.</summary>
    Function = 12,

    /// <summary>A function's parameters and result.</summary>
    FunctionPrototype = 13,

    /// <summary>A variable; the kernel describes its per-CPU variables alone.</summary>
    Variable = 14,

    /// <summary>A section of variables.</summary>
    DataSection = 15,

    /// <summary>A floating-point number.</summary>
    Float = 16,

    /// <summary>A note on a declaration.</summary>
    DeclTag = 17,

    /// <summary>A note between a pointer and its target.</summary>
    TypeTag = 18,

    /// <summary>An enumeration of 64 bits.</summary>
    Enum64 = 19,
}
