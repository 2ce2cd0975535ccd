namespace Netdump.Vmcore.Filter;

/// <summary>
/// Tests the word _mapcount for one type of page. Since 6.12 types are its top byte, and the value that VMCOREINFO gives has 24 zero bits
/// below; before, each type is one exact value. By the top byte alone every unmapped page (-1) of older kernels would be free (-129).
/// </summary>
internal readonly struct PageTypeTest
{
    private const uint TopByte = 0xff00_0000;

    private readonly uint _mask;
    private readonly uint _value;

    /// <summary>Takes NUMBER(PAGE_..._MAPCOUNT_VALUE); null when the kernel does not export it.</summary>
    public PageTypeTest(long? number)
    {
        IsKnown = number is not null;
        _value = unchecked((uint)number.GetValueOrDefault());
        IsTopByte = IsKnown && _value != 0 && (_value & ~TopByte) == 0;
        _mask = IsTopByte ? TopByte : uint.MaxValue;
    }

    /// <summary>Whether the kernel exports the type.</summary>
    public bool IsKnown { get; }

    /// <summary>Whether types are top bytes, of which a page has one at most.</summary>
    public bool IsTopByte { get; }

    public bool Matches(uint mapCount) => IsKnown && (mapCount & _mask) == _value;

    /// <summary>Whether the word holds a type at all, where types are top bytes: a count of mappings is -1 or more.</summary>
    public static bool IsTyped(uint mapCount) => (int)mapCount < 0 && (mapCount & TopByte) != TopByte;
}
