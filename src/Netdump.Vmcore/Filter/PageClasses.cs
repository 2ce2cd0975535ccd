using System.Buffers.Binary;

namespace Netdump.Vmcore.Filter;

/// <summary>
/// Judges pages by their page structure (struct page, include/linux/mm_types.h) with nothing but what VMCOREINFO exports. What cannot be told
/// for sure is kept.
/// </summary>
internal sealed class PageClasses
{
    private const int LargestSize = 1024;
    private const int LargestBlock = 36; // 64 GiB: no kernel makes a page of more
    private const int MostFreeOrders = 32;

    private readonly VmcoreInfo _info;
    private readonly int _pageShift;
    private readonly List<KeptClass> _kept = [];
    private readonly bool _free;
    private readonly bool _cache;
    private readonly bool _privateCache;
    private readonly bool _user;
    private readonly int _flags;
    private readonly int _mapCount;
    private readonly int _mapping;
    private readonly int _private;
    private readonly int _compound;
    private readonly int _orderByte = -1;
    private readonly int _destructorByte = -1;
    private readonly byte _hugeDestructor;
    private readonly ulong _hugeFlag;
    private readonly ulong _headMask;
    private readonly ulong _lru;
    private readonly ulong _swapCache;
    private readonly ulong _swapBacked;
    private readonly ulong _privateFlag;
    private readonly ulong _slabFlag;
    private readonly ulong _poison;
    private readonly int _freeOrders;
    private readonly PageTypeTest _buddy;
    private readonly PageTypeTest _unaccepted;
    private readonly PageTypeTest _slab;
    private readonly PageTypeTest _offline;
    private readonly PageTypeTest _huge;
    private readonly bool _isTyped;

    public PageClasses(VmcoreInfo info, int level, int pageShift)
    {
        (_info, _pageShift) = (info, pageShift);
        Size = info.Size("page") is { } size and <= LargestSize ? size : 0;
        _flags = Offset("page.flags", 8);
        _mapCount = Offset("page._mapcount", 4);
        _mapping = Offset("page.mapping", 8);
        _private = Offset("page.private", 8);
        // Renamed in 7.1, when the rest of the word became something else: bit 0 marks a tail in both.
        _compound = Math.Max(Offset("page.compound_info", 8), Offset("page.compound_head", 8));
        _headMask = info.UnsignedNumber("PG_head_mask") ?? 0;
        _lru = Flag("PG_lru");
        _swapCache = Flag("PG_swapcache");
        _swapBacked = Flag("PG_swapbacked");
        _privateFlag = Flag("PG_private");
        _slabFlag = Flag("PG_slab");
        _poison = Flag("PG_hwpoison");
        _freeOrders = info.Length("zone.free_area") is { } orders and > 0 and <= MostFreeOrders ? orders : 0;
        _buddy = Type("BUDDY");
        _unaccepted = Type("UNACCEPTED");
        _slab = Type("SLAB");
        _offline = Type("OFFLINE");
        _huge = Type("HUGETLB");
        _isTyped = _buddy.IsTopByte || _slab.IsTopByte || _offline.IsTopByte || _huge.IsTopByte;
        (_orderByte, _destructorByte, _hugeDestructor, _hugeFlag) = FindOrder();

        var common = Lacks(Size > 0, "SIZE(page)") ?? Lacks(_flags >= 0, "OFFSET(page.flags)") ?? Lacks(_mapCount >= 0, "OFFSET(page._mapcount)")
            ?? Lacks(_compound >= 0, "OFFSET(page.compound_head) or OFFSET(page.compound_info)");
        var knowsSlab = _slabFlag != 0 || _slab.IsKnown;
        const string slabKeys = "NUMBER(PG_slab) or NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)";
        // A page has one type where types are top bytes; elsewhere a slab page may hold any bits in that word.
        var slabForTypes = Lacks(_isTyped || knowsSlab, slabKeys);
        var folios = Lacks(_headMask != 0, "NUMBER(PG_head_mask)")
            ?? Lacks(_orderByte >= 0, "NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE), NUMBER(PG_hugetlb), OFFSET(folio._folio_order) or OFFSET(page.compound_order)");
        var cache = common ?? Lacks(_mapping >= 0, "OFFSET(page.mapping)") ?? Lacks(_lru != 0, "NUMBER(PG_lru)") ?? folios;

        _free = Wants(level, 16, "free", common ?? Lacks(_buddy.IsKnown, "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)")
            ?? Lacks(_private >= 0, "OFFSET(page.private)") ?? Lacks(_freeOrders > 0, "LENGTH(zone.free_area)") ?? slabForTypes);
        _privateCache = Wants(level, 4, "private cache", cache);
        // Level 4 takes cache of both kinds, so that which kind a page is only matters to level 2 alone.
        _cache = _privateCache || Wants(level, 2 | 4, "cache", cache ?? Lacks(_privateFlag != 0, "NUMBER(PG_private)"));
        _user = Wants(level, 8, "user", common ?? Lacks(_mapping >= 0, "OFFSET(page.mapping)") ?? Lacks(knowsSlab, slabKeys) ?? folios);
        if (_user && !_huge.IsKnown && _hugeFlag == 0 && _destructorByte < 0)
            _kept.Add(new KeptClass("hugetlb", "VMCOREINFO has no NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE), NUMBER(PG_hugetlb) or NUMBER(HUGETLB_PAGE_DTOR)"));
        // Kernels that know no poisoned or offline pages export neither: then there are none.
        if (_poison != 0)
            _poison = Wants(~0, 1, "poisoned", common) ? _poison : 0;
        if (_offline.IsKnown)
            _offline = Wants(~0, 1, "offline", common ?? slabForTypes) ? _offline : default;
    }

    /// <summary>Bytes of a page structure; 0 when not known.</summary>
    public int Size { get; }

    /// <summary>Whether there is anything to look for in the page structures.</summary>
    public bool JudgesAnything => _free || _cache || _user || _poison != 0 || _offline.IsKnown;

    /// <summary>Classes of the level that are kept for want of a key.</summary>
    public IReadOnlyList<KeptClass> Kept => _kept;

    public ulong UnknownKinds { get; private set; }

    public ulong BadOrders { get; private set; }

    /// <summary>Forgets the counts.</summary>
    public void Reset() => UnknownKinds = BadOrders = 0;

    /// <summary>Judges one page.</summary>
    /// <param name="page">Its structure.</param>
    /// <param name="next">The next page's structure; empty when that is not at hand (no page of an odd number is the first of several).</param>
    /// <param name="pfn">Its number.</param>
    /// <param name="order">When it is left out: 2^order pages are, from this one on.</param>
    public PageKind Judge(ReadOnlySpan<byte> page, ReadOnlySpan<byte> next, ulong pfn, out int order)
    {
        order = 0;
        if ((U64(page, _compound) & 1) != 0)
            return PageKind.Kept; // a tail: its head decided
        var flags = U64(page, _flags);
        var mapCount = BinaryPrimitives.ReadUInt32LittleEndian(page[_mapCount..]);
        var isSlab = (flags & _slabFlag) != 0 || _slab.Matches(mapCount);
        if (_free && !isSlab && _buddy.Matches(mapCount))
            return FreeBlock(U64(page, _private), pfn, out order);
        if (_free && !isSlab && _unaccepted.Matches(mapCount))
            return FreeBlock((ulong)_freeOrders - 1, pfn, out order);

        var isHead = (flags & _headMask) != 0;
        if (isHead && !next.IsEmpty && _orderByte >= 0)
            order = Order(next[_orderByte], pfn);
        var kind = InUse(page, next, flags, mapCount, isSlab, isHead);
        if (kind is PageKind.Cache or PageKind.PrivateCache or PageKind.User && _isTyped && PageTypeTest.IsTyped(mapCount) && !_huge.Matches(mapCount))
        {
            UnknownKinds++;
            kind = PageKind.Kept;
        }
        if (kind != PageKind.Kept)
            return kind;
        if ((flags & _poison) != 0)
            return PageKind.Poisoned;
        return !isSlab && _offline.Matches(mapCount) ? PageKind.Offline : PageKind.Kept;
    }

    private PageKind InUse(ReadOnlySpan<byte> page, ReadOnlySpan<byte> next, ulong flags, uint mapCount, bool isSlab, bool isHead)
    {
        if (!_cache && !_user)
            return PageKind.Kept;
        // Bit 0 of this word marks anonymous memory; slab pages have something else there.
        var isMarked = (U64(page, _mapping) & 1) != 0;
        if (_cache && !isMarked && IsCache(flags))
        {
            var isPrivate = (flags & _privateFlag) != 0;
            if (!isPrivate || _privateCache)
                return isPrivate ? PageKind.PrivateCache : PageKind.Cache;
        }
        return _user && ((isMarked && !isSlab) || (isHead && IsHuge(next, mapCount))) ? PageKind.User : PageKind.Kept;
    }

    // The bit of the swap cache is shared with other meanings for pages that swap does not back.
    private bool IsCache(ulong flags) =>
        (flags & _lru) != 0 || ((flags & _swapCache) != 0 && (_swapBacked == 0 || (flags & _swapBacked) != 0));

    private bool IsHuge(ReadOnlySpan<byte> next, uint mapCount) =>
        _huge.IsKnown ? _huge.Matches(mapCount)
        : _hugeFlag != 0 ? !next.IsEmpty && (U64(next, _flags) & _hugeFlag) != 0
        : _destructorByte >= 0 && !next.IsEmpty && next[_destructorByte] == _hugeDestructor;

    private PageKind FreeBlock(ulong blockOrder, ulong pfn, out int order)
    {
        order = 0;
        if (blockOrder >= (ulong)_freeOrders || (int)blockOrder + _pageShift > LargestBlock || (pfn & ((1UL << (int)blockOrder) - 1)) != 0)
        {
            BadOrders++;
            return PageKind.Kept;
        }
        order = (int)blockOrder;
        return PageKind.Free;
    }

    // Where the structures of a huge page's tails share memory with its first ones (before 7.1), tails look like heads: in the wrong place.
    private int Order(byte order, ulong pfn) => order + _pageShift <= LargestBlock && (pfn & ((1UL << order) - 1)) == 0 ? order : 0;

    // Where the first tail tells the order, and what makes a hugetlb page: it moved three times.
    private (int Order, int Destructor, byte HugeDestructor, ulong HugeFlag) FindOrder()
    {
        if (_huge.IsKnown)
            return (_flags, -1, 0, 0);
        if (Flag("PG_hugetlb") is > 0 and var huge)
            return (_flags, -1, 0, huge);
        var value = _info.Number("HUGETLB_PAGE_DTOR");
        if (InTail("folio._folio_order") is >= 0 and var folioOrder)
            return (folioOrder, value is null ? -1 : InTail("folio._folio_dtor"), (byte)value.GetValueOrDefault(), 0);
        var order = Offset("page.compound_order", 1);
        return (order, value is null ? -1 : Offset("page.compound_dtor", 1), (byte)value.GetValueOrDefault(), 0);
    }

    // The members of struct folio lie in the first tail behind the head's page structure.
    private int InTail(string member) => _info.Offset(member) is { } offset && offset >= Size && offset < 2 * Size ? offset - Size : -1;

    private int Offset(string member, int width) => _info.Offset(member) is { } offset && offset <= Size - width ? offset : -1;

    private ulong Flag(string name) => _info.Number(name) is { } bit and >= 0 and < 64 ? 1UL << (int)bit : 0;

    private PageTypeTest Type(string name) => new(_info.Number($"PAGE_{name}_MAPCOUNT_VALUE"));

    private static string? Lacks(bool isThere, string key) => isThere ? null : $"VMCOREINFO has no {key}";

    private bool Wants(int level, int bit, string name, string? lacking)
    {
        if ((level & bit) == 0)
            return false;
        if (lacking is not null)
            _kept.Add(new KeptClass(name, lacking));
        return lacking is null;
    }

    private static ulong U64(ReadOnlySpan<byte> page, int at) => BinaryPrimitives.ReadUInt64LittleEndian(page[at..]);
}
