using Netdump.Vmcore.Codecs;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Kdump;

/// <summary>Physical memory of a kdump-compressed dump of one file or of several.</summary>
public sealed class KdumpMemory : PhysicalMemory
{
    private const int CacheLength = 2 << 20;

    private readonly KdumpPart[] _parts;
    private readonly PageBitmap _memory;
    private readonly Slot[] _cache;

    internal KdumpMemory(KdumpPart[] parts)
        : base(parts[0].Header.BlockSize)
    {
        _parts = parts;
        var header = parts[0].Header;
        EndPage = header.PageCount;
        _memory = header.HasSingleBitmap ? parts[0].Stored : new PageBitmap(parts[0].Bytes, header.BitmapOffset, header.PageCount);
        _cache = new Slot[CacheLength / PageSize];
        for (var i = 0; i < _cache.Length; i++)
            _cache[i] = new Slot();
    }

    /// <inheritdoc/>
    public override ulong EndPage { get; }

    /// <inheritdoc/>
    public override ulong PageCount => _memory.Count;

    /// <summary>How many pages are stored.</summary>
    public ulong StoredCount => _parts[0].Stored.Count;

    /// <inheritdoc/>
    public override PageCounts CountPages()
    {
        var (there, zero) = (0UL, 0UL);
        foreach (var part in _parts)
        {
            var (partThere, partZero) = part.CountDescriptors(PageSize);
            there += partThere;
            zero += partZero;
        }
        return new PageCounts(PageCount, StoredCount, zero, PageCount - Math.Min(PageCount, StoredCount), StoredCount - Math.Min(StoredCount, there));
    }

    /// <inheritdoc/>
    public override void CopyMemoryBits(ulong firstPage, Span<ulong> bits) => _memory.Copy(firstPage, bits);

    /// <inheritdoc/>
    public override void CopyStoredBits(ulong firstPage, Span<ulong> bits) => _parts[0].Stored.Copy(firstPage, bits);

    /// <inheritdoc/>
    public override PageState StateOf(ulong page) => Find(page, out _, out _, out _);

    /// <inheritdoc/>
    public override PageReader OpenReader(bool mapped = false) => new KdumpPageReader(this);

    /// <inheritdoc/>
    public override PageState ReadInPage(ulong page, int inPage, Span<byte> part)
    {
        var slot = _cache[page % (ulong)_cache.Length];
        lock (slot)
        {
            if (slot.Page != page || slot.Bytes is null)
            {
                slot.Page = ulong.MaxValue;
                slot.Bytes ??= GC.AllocateUninitializedArray<byte>(PageSize);
                var state = Load(page, slot.Bytes, slot.Decoder ??= new PageDecoder());
                if (state != PageState.Present)
                    return state;
                slot.Page = page;
            }
            slot.Bytes.AsSpan(inPage, part.Length).CopyTo(part);
            return PageState.Present;
        }
    }

    /// <summary>Why a page cannot be decoded, with the place in the file; null when it can, or is not in the file at all.</summary>
    /// <exception cref="IOException">The disk failed.</exception>
    public string? ExplainCorrupt(ulong page)
    {
        if (Find(page, out var part, out var descriptor, out var at) != PageState.Present)
            return null;
        if (descriptor.Trouble(PageSize) is { } trouble)
            return $"{trouble} (at offset 0x{at:x})";
        using var decoder = new PageDecoder();
        return Decode(part!, descriptor, new byte[PageSize], decoder) == PageState.Corrupt
            ? $"{descriptor.Size} bytes of {descriptor.Codec} do not decode to a page (at offset 0x{descriptor.Offset:x})"
            : null;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        foreach (var slot in _cache)
        {
            lock (slot)
            {
                slot.Decoder?.Dispose();
                slot.Decoder = null;
                slot.Page = ulong.MaxValue;
                slot.Bytes = null;
            }
        }
    }

    /// <summary>The part that a page's descriptor is in; null when that part is missing.</summary>
    internal KdumpPart? PartOf(ulong page)
    {
        foreach (var part in _parts)
            if (page >= part.Header.StartPage && page < part.Header.EndPage)
                return part;
        return null;
    }

    internal PageState StateOfUnstored(ulong page) => _memory.Test(page) ? PageState.Excluded : PageState.NotMemory;

    internal PageBitmap Stored => _parts[0].Stored;

    private PageState Load(ulong page, Span<byte> bytes, PageDecoder decoder)
    {
        var state = Find(page, out var part, out var descriptor, out _);
        return state == PageState.Present ? Decode(part!, descriptor, bytes, decoder) : state;
    }

    private PageState Find(ulong page, out KdumpPart? part, out PageDescriptor descriptor, out long at)
    {
        part = null;
        descriptor = default;
        at = 0;
        if (!Stored.Test(page))
            return StateOfUnstored(page);
        part = PartOf(page);
        if (part is null)
            return PageState.Lost;
        Span<byte> bytes = stackalloc byte[PageDescriptor.Length];
        at = part.DescriptorAt(page);
        if (part.Bytes.Read(at, bytes) != bytes.Length)
            return PageState.Lost;
        descriptor = PageDescriptor.Parse(bytes, part.Header.IsBigEndian);
        return IsBeyond(descriptor, part) ? PageState.Lost : PageState.Present;
    }

    internal static bool IsBeyond(in PageDescriptor descriptor, KdumpPart part) =>
        descriptor.IsLost || descriptor.Offset > (ulong)part.Bytes.Length || descriptor.Size > (ulong)part.Bytes.Length - descriptor.Offset;

    private PageState Decode(KdumpPart part, in PageDescriptor descriptor, Span<byte> bytes, PageDecoder decoder)
    {
        if (descriptor.Trouble(PageSize) is not null)
            return PageState.Corrupt;
        if (descriptor.Codec == PageCodec.None)
            return part.Bytes.Read((long)descriptor.Offset, bytes) == bytes.Length ? PageState.Present : PageState.Lost;
        Span<byte> input = stackalloc byte[4096];
        if (descriptor.Size > (uint)input.Length)
            input = new byte[descriptor.Size]; // machines with larger pages only
        input = input[..(int)descriptor.Size];
        if (part.Bytes.Read((long)descriptor.Offset, input) != input.Length)
            return PageState.Lost;
        return decoder.TryDecode(descriptor.Codec, input, bytes) ? PageState.Present : PageState.Corrupt;
    }

    private sealed class Slot
    {
        public ulong Page = ulong.MaxValue;
        public byte[]? Bytes;
        public PageDecoder? Decoder;
    }
}
