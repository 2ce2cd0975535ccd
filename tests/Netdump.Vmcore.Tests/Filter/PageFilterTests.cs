using System.Buffers.Binary;
using CsCheck;
using Netdump.Vmcore.Filter;

namespace Netdump.Vmcore.Tests.Filter;

/// <summary>The filter's rules on page structures made for each.</summary>
public class PageFilterTests
{
    [Fact]
    public void Every_kind_goes_at_its_level()
    {
        var pages = Kinds();
        Assert.Equal("60 62", pages.LeftOut(0, out var counts, out var kept)); // poisoned and offline pages at every level
        Assert.Equal((1UL, 1UL, 2UL), (counts.Poisoned, counts.Offline, counts.Excluded));
        Assert.Empty(kept);
        Assert.Equal("60 62", pages.LeftOut(1));
        Assert.Equal("20 22 60 62", pages.LeftOut(2));
        Assert.Equal("20-22 60 62", pages.LeftOut(4));
        Assert.Equal("30-31 60 62", pages.LeftOut(8));
        Assert.Equal("16-19 60 62 1024-2047", pages.LeftOut(16));
        Assert.Equal("16-22 30-31 60 62 1024-2047", pages.LeftOut(31, out counts, out kept));
        // Pages from 1536 on are not in the file: they are no loss of the filter.
        Assert.Equal((4UL + 512, 2UL, 1UL, 2UL, 1UL, 1UL), (counts.Free, counts.Cache, counts.PrivateCache, counts.User, counts.Poisoned, counts.Offline));
        Assert.Equal((0UL, 0UL, 0UL), (counts.BadOrder, counts.UnknownKind, counts.Unreadable));
        Assert.Empty(kept);
    }

    [Theory]
    [InlineData("NUMBER(PG_lru)", "cache,private cache")]
    [InlineData("NUMBER(PG_private)", "cache")]
    [InlineData("NUMBER(PG_head_mask)", "cache,private cache,user")]
    [InlineData("OFFSET(page.mapping)", "cache,private cache,user")]
    [InlineData("OFFSET(page.compound_info)", "cache,free,offline,poisoned,private cache,user")]
    [InlineData("OFFSET(page._mapcount)", "cache,free,offline,poisoned,private cache,user")]
    [InlineData("OFFSET(page.flags)", "cache,free,offline,poisoned,private cache,user")]
    [InlineData("SIZE(page)", "cache,free,offline,poisoned,private cache,user")]
    [InlineData("NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)", "user")]
    [InlineData("NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)", "free")]
    [InlineData("OFFSET(page.private)", "free")]
    [InlineData("LENGTH(zone.free_area)", "free")]
    [InlineData("SYMBOL(mem_section)", "cache,free,private cache,user")]
    [InlineData("NUMBER(SECTION_SIZE_BITS)", "cache,free,private cache,user")]
    [InlineData("NUMBER(phys_base)", "cache,free,private cache,user")]
    public void Item55_a_class_whose_key_is_missing_is_kept_and_named_with_the_key(string key, string classes)
    {
        var pages = Kinds();
        if (key == "NUMBER(phys_base)")
            pages.Kernel.Key(key, "none");
        else
            pages.Key(key, null);
        var named = new SortedSet<string>(StringComparer.Ordinal);
        var whole = Kinds();
        foreach (var level in (int[])[2, 4, 8, 16])
        {
            var leftOut = pages.LeftOut(level, out _, out var kept);
            foreach (var one in kept)
            {
                named.Add(one.Class);
                Assert.Contains(key, $"{one}", StringComparison.Ordinal);
            }
            // What is not named is left out as ever.
            var asked = level switch { 2 => "cache", 4 => "private cache", 8 => "user", _ => "free" };
            var rest = string.Join(' ', leftOut.Split(' ').Except(["60", "62"]));
            var expected = string.Join(' ', whole.LeftOut(level).Split(' ').Except(["60", "62"]));
            Assert.Equal(kept.Any(k => k.Class == asked) ? "" : expected, rest);
        }
        Assert.Equal(classes, string.Join(',', named));
    }

    [Fact]
    public void Item46_a_slab_page_with_an_odd_word_at_mapping_is_kept()
    {
        var pages = new SyntheticPages(256);
        pages.Set(10, mapCount: SyntheticPages.Slab | 0x1234, mapping: 0xffff888000000001); // its low bits are the owner's
        pages.Folio(16, 3, mapCount: SyntheticPages.Slab, mapping: 3);
        Assert.Equal("", pages.LeftOut(31));
        pages = new SyntheticPages(256);
        pages.Be61();
        pages.Set(10, flags: 1 << 9, mapCount: 0xffffff7f, mapping: 1); // its _mapcount is the slab allocator's
        pages.Set(11, mapCount: 0xffffff7f);
        Assert.Equal("11", pages.LeftOut(31));
    }

    [Fact]
    public void Item47_an_unmapped_page_of_an_older_kernel_is_not_free()
    {
        var pages = new SyntheticPages(256);
        pages.Be61();
        pages.Set(8, mapCount: unchecked((uint)-129), @private: 2);
        pages.Set(20, mapCount: unchecked((uint)-257));
        Assert.Equal("8-11 20", pages.LeftOut(16));
    }

    [Fact]
    public void A_page_of_a_type_that_is_not_exported_is_kept_and_counted()
    {
        var pages = new SyntheticPages(256);
        pages.Set(10, mapCount: 0xf8000000, mapping: 1);
        pages.Set(11, mapCount: 0xfe000000, flags: SyntheticPages.Lru);
        pages.Set(12, mapCount: 3, mapping: 1); // mapped four times
        Assert.Equal("12", pages.LeftOut(31, out var counts, out _));
        Assert.Equal(2UL, counts.UnknownKind);
    }

    [Theory]
    [InlineData(9)]
    [InlineData(18)]
    public void Item48_a_huge_page_is_left_out_to_its_end_across_sections(int order)
    {
        var pages = new SyntheticPages(3 << 18);
        var first = 1 << 18;
        pages.Folio(first, order, mapCount: SyntheticPages.Huge);
        Assert.Equal($"{first}-{first + (1 << order) - 1}", pages.LeftOut(8));
        Assert.Equal("", pages.LeftOut(23));
    }

    [Theory]
    [InlineData(65)]
    [InlineData(255)]
    [InlineData(40)]
    public void Item48_an_order_that_makes_no_sense_is_0(int order)
    {
        var pages = new SyntheticPages(1024);
        pages.Folio(512, order, mapping: 1);
        Assert.Equal("512", pages.LeftOut(8));
    }

    [Fact]
    public void Item48_a_head_in_a_place_where_none_of_its_size_can_be_has_order_0()
    {
        var pages = new SyntheticPages(1024);
        pages.Folio(64, 7, mapping: 1);
        pages.Folio(131, 1, mapping: 1);
        Assert.Equal("64 131", pages.LeftOut(8));
    }

    [Theory]
    [InlineData("6.1")]
    [InlineData("6.3")]
    [InlineData("6.6")]
    [InlineData("7.3")]
    public void The_order_and_what_is_hugetlb_are_found_wherever_a_kernel_keeps_them(string kernel)
    {
        var pages = new SyntheticPages(2048);
        pages.Folio(512, 4, mapping: 1);
        pages.Folio(1024, 9, mapCount: kernel == "7.3" ? SyntheticPages.Huge : SyntheticPages.NoType);
        if (kernel == "6.1")
        {
            pages.Be61();
            (pages[513][16], pages[513][17], pages[1025][16], pages[1025][17]) = (1, 4, 2, 9);
        }
        else if (kernel == "6.3")
        {
            pages.Be61();
            pages.Key("OFFSET(page.compound_dtor)", null);
            pages.Key("OFFSET(page.compound_order)", null);
            pages.Key("OFFSET(folio._folio_dtor)", "80");
            pages.Key("OFFSET(folio._folio_order)", "81");
            (pages[513][16], pages[513][17], pages[1025][16], pages[1025][17]) = (1, 4, 2, 9);
        }
        else if (kernel == "6.6")
        {
            pages.Be61();
            foreach (var key in (string[])["OFFSET(page.compound_dtor)", "OFFSET(page.compound_order)", "NUMBER(HUGETLB_PAGE_DTOR)"])
                pages.Key(key, null);
            pages.Key("NUMBER(PG_hugetlb)", "8");
            pages[1025][1] = 1; // bit 8
        }
        Assert.Equal("512-527 1024-1535", pages.LeftOut(8, out _, out var kept));
        Assert.Empty(kept);
    }

    [Fact]
    public void Hugetlb_pages_that_nothing_tells_are_kept_and_named()
    {
        var pages = new SyntheticPages(2048);
        pages.Be61();
        pages.Key("NUMBER(HUGETLB_PAGE_DTOR)", null);
        pages.Folio(1024, 9);
        Assert.Equal("", pages.LeftOut(8, out _, out var kept));
        Assert.Equal("hugetlb", Assert.Single(kept).Class);
    }

    [Fact]
    public void Item49_a_tail_is_not_judged_by_itself()
    {
        foreach (var key in (string[])["OFFSET(page.compound_info)", "OFFSET(page.compound_head)"])
        {
            var pages = new SyntheticPages(1024);
            pages.Key("OFFSET(page.compound_info)", null);
            pages.Key(key, "8");
            pages.Folio(512, 4); // in use, of a kind that is kept; its tails' words look anonymous
            Assert.Equal("", pages.LeftOut(31));
        }
    }

    [Fact]
    public void Item50_a_free_block_of_impossible_size_or_place_is_kept_and_counted()
    {
        var pages = new SyntheticPages(4096);
        pages.Set(2048, mapCount: SyntheticPages.Buddy, @private: 11);
        pages.Set(1028, mapCount: SyntheticPages.Buddy, @private: 10);
        pages.Set(1100, mapCount: SyntheticPages.Buddy, @private: ulong.MaxValue);
        pages.Set(3072, mapCount: SyntheticPages.Buddy, @private: 10);
        Assert.Equal("3072-4095", pages.LeftOut(16, out var counts, out _));
        Assert.Equal(3UL, counts.BadOrder);
    }

    [Fact]
    public void Memory_that_a_guest_never_accepted_is_free()
    {
        var pages = new SyntheticPages(4096);
        pages.Set(1024, mapCount: SyntheticPages.Unaccepted);
        Assert.Equal("1024-2047", pages.LeftOut(16));
        Assert.Equal("", pages.LeftOut(15));
    }

    [Fact]
    public void The_bit_of_the_swap_cache_counts_only_for_pages_that_swap_backs()
    {
        var pages = new SyntheticPages(256);
        pages.Set(10, flags: SyntheticPages.SwapCache);
        pages.Set(11, flags: SyntheticPages.SwapCache | SyntheticPages.SwapBacked);
        Assert.Equal("11", pages.LeftOut(2));
        pages.Key("NUMBER(PG_swapbacked)", null);
        Assert.Equal("10-11", pages.LeftOut(2));
    }

    [Fact]
    public void Item51_sections_that_are_absent_and_page_structures_that_are_not_there_keep_their_pages()
    {
        var pages = Filled();
        pages.Section(1, SyntheticPages.VirtualMap); // not present
        Assert.Equal("0-32767 65536-98303", pages.LeftOut(8, out var counts, out _));
        Assert.Equal(0UL, counts.Unreadable);

        pages = Filled();
        var unmapped = SyntheticPages.VirtualMap + (2 << 20);
        BinaryPrimitives.WriteUInt64LittleEndian(pages.Kernel.Memory.AsSpan((int)pages.Kernel.EntryAddress(unmapped, 1)), 0);
        Assert.Equal("0-32767 65536-98303", pages.LeftOut(8, out counts, out _));
        Assert.Equal(32768UL, counts.Unreadable);

        static SyntheticPages Filled()
        {
            var pages = new SyntheticPages(3 * 32768);
            for (var page = 0; page < pages.Count; page++)
                pages.Set(page, mapping: 1);
            return pages;
        }
    }

    [Fact]
    public void Sections_are_found_in_one_plain_array_and_behind_a_pointer()
    {
        var pages = Kinds();
        var expected = pages.LeftOut(31);
        pages.Key("SYMBOL(mem_section)", $"{SyntheticPages.DirectAddress(0x90000):x}");
        pages.Key("LENGTH(mem_section)", "2048"); // not a root for each page of sections
        Assert.Equal(expected, pages.LeftOut(31));
        pages = Kinds();
        pages.Put(0xa0000, SyntheticPages.DirectAddress(0x80000));
        pages.Key("SYMBOL(mem_section)", $"{SyntheticPages.DirectAddress(0xa0000):x}");
        Assert.Equal(expected, pages.LeftOut(31));
    }

    [Fact]
    public void Flat_memory_has_one_array()
    {
        var pages = Kinds();
        var expected = pages.LeftOut(31);
        pages.Key("SYMBOL(mem_section)", null);
        pages.Key("SYMBOL(mem_map)", $"{SyntheticPages.DirectAddress(0xa0000):x}");
        pages.Put(0xa0000, SyntheticPages.VirtualMap);
        Assert.Equal(expected, pages.LeftOut(31));
        // An array that begins with page 64 describes the pages from there on.
        pages.Key("NUMBER(ARCH_PFN_OFFSET)", "64");
        Assert.StartsWith("80-86 94-95 ", pages.LeftOut(31), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(56)]
    [InlineData(80)]
    public void Page_structures_need_not_fill_pages_of_memory(int size)
    {
        var pages = new SyntheticPages(4096);
        pages.Key("SIZE(page)", $"{size}");
        pages.Kernel.Memory.AsSpan(SyntheticPages.MapAt).Clear();
        for (var page = 0; page < 3000; page++)
        {
            var structure = pages.Kernel.Memory.AsSpan(SyntheticPages.MapAt + page * size, size);
            BinaryPrimitives.WriteUInt32LittleEndian(structure[48..], SyntheticPages.NoType);
            structure[24] = (byte)(page % 3 == 0 ? 1 : 0);
        }
        Assert.Equal(string.Join(' ', Enumerable.Range(0, 1000).Select(i => $"{i * 3}")), pages.LeftOut(8));
    }

    [Fact]
    public void A_dump_without_VMCOREINFO_loses_nothing_and_says_why()
    {
        var core = new SyntheticCore();
        core.AddMemory(0, new byte[0x10000]);
        using var file = core.Open();
        using var filter = new PageFilter(file, 31);
        Assert.Equal(16, Netdump.Vmcore.Memory.PageBits.Count(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(SyntheticPages.KeptPages(filter))));
        Assert.Equal(["free", "private cache", "cache", "user"], filter.Kept.Select(k => k.Class));
        Assert.All(filter.Kept, k => Assert.Contains("VMCOREINFO", k.Reason, StringComparison.Ordinal));
    }

    [Fact]
    public void Item63_page_structures_of_random_bytes_end_and_every_walk_is_alike() =>
        Gen.Select(Gen.Byte.Array[64, 512], Gen.Int[0, 31], Gen.Bool).Sample((noise, level, older) =>
        {
            var pages = new SyntheticPages(5000);
            if (older)
                pages.Be61();
            var map = pages.Kernel.Memory.AsSpan(SyntheticPages.MapAt, 5000 * SyntheticPages.Size);
            for (var i = 0; i < map.Length; i++)
                map[i] = noise[i % noise.Length];
            for (var page = 0; page < 5000; page += 3)
                BinaryPrimitives.WriteUInt32LittleEndian(pages[page][48..], SyntheticPages.Buddy);
            return Walks(pages, level);
        }, iter: 60);

    [Fact]
    public void Item63_sections_and_tables_of_random_bytes_end() =>
        Gen.Select(Gen.ULong.Array[16], Gen.Int[0, 31]).Sample((noise, level) =>
        {
            var pages = new SyntheticPages(5000);
            for (var i = 0UL; i < 512; i++)
                pages.Put(0x90000 + i * 8, noise[i % 16]);
            if (level % 2 == 0)
                pages.Put(0x80000, noise[0] & 0xfffff | SyntheticPages.DirectAddress(0)); // roots that point anywhere, at themselves too
            if (level % 3 == 0)
                pages.Put(pages.Kernel.EntryAddress(SyntheticPages.VirtualMap, 2), SyntheticKernel.PhysicalBase | 1); // a table that is its own root
            return Walks(pages, level);
        }, iter: 60);

    private static bool Walks(SyntheticPages pages, int level)
    {
        using var file = pages.Open();
        using var filter = new PageFilter(file, level);
        var first = SyntheticPages.KeptPages(filter);
        var counts = filter.Counts;
        var memory = new ulong[first.Length / 8];
        file.Physical.CopyMemoryBits(0, memory);
        return first.AsSpan().SequenceEqual(SyntheticPages.KeptPages(filter)) && counts == filter.Counts
            && Netdump.Vmcore.Memory.PageBits.Count(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(first)) <= Netdump.Vmcore.Memory.PageBits.Count(memory);
    }

    private static SyntheticPages Kinds()
    {
        var pages = new SyntheticPages(4096);
        pages.Set(16, mapCount: SyntheticPages.Buddy, @private: 2);
        pages.Set(20, flags: SyntheticPages.Lru);
        pages.Set(21, flags: SyntheticPages.Lru | SyntheticPages.Private);
        pages.Set(22, flags: SyntheticPages.SwapCache | SyntheticPages.SwapBacked);
        pages.Set(30, flags: SyntheticPages.Lru | SyntheticPages.SwapBacked, mapping: 0xffff888000001001, mapCount: 0);
        pages.Set(31, flags: SyntheticPages.SwapCache | SyntheticPages.SwapBacked, mapping: 1); // anonymous, in the swap cache
        pages.Set(60, flags: SyntheticPages.Poison);
        pages.Set(62, mapCount: SyntheticPages.Offline);
        pages.Set(1024, mapCount: SyntheticPages.Buddy, @private: 10);
        return pages;
    }
}
