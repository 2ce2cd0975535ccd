namespace Netdump.Vmcore.Memory;

/// <summary>
/// A piece of the dead kernel's memory to be kept and looked into: a table of some megabytes. In a capture kernel it is the dead kernel's own memory,
/// mapped, which costs none; everywhere else a copy. Valid as long as the dump is open; its bytes never change.
/// </summary>
public sealed unsafe class MemoryView
{
    private readonly nint _mapping;
    private readonly byte[]? _copy;

    private MemoryView(byte[] copy) => (_copy, Length) = (copy, copy.Length);

    private MemoryView(nint mapping, int length) => (_mapping, Length) = (mapping, length);

    /// <summary>How many bytes.</summary>
    public int Length { get; }

    /// <summary>Whether it is memory of the dump itself.</summary>
    public bool IsMapped => _copy is null;

    /// <summary>The bytes.</summary>
    public ReadOnlySpan<byte> Span => _copy is null ? new ReadOnlySpan<byte>((void*)_mapping, Length) : _copy;

    /// <summary>Keeps a copy of bytes.</summary>
    public static MemoryView Of(ReadOnlySpan<byte> bytes) => new(bytes.ToArray());

    /// <summary>A view to be filled.</summary>
    /// <param name="length">How many bytes.</param>
    /// <param name="room">They are written here, before anybody sees the view; zeros so far.</param>
    public static MemoryView Make(int length, out Span<byte> room)
    {
        var copy = new byte[length];
        room = copy;
        return new(copy);
    }

    /// <summary>A view of a mapping, which has to outlive it.</summary>
    internal static MemoryView OfMapping(nint start, int length) => new(start, length);
}
