using Netdump.Fuzz.Tests.Engine;
using Netdump.Vmcore;
using Netdump.Vmcore.Filter;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Tests;
using Netdump.Vmcore.Tests.Filter;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>
/// Page structures and the sections that lead to them, anything at all: both walks of the filter choose the same pages, only memory, and count
/// what they leave out.
/// </summary>
public sealed class PageStructures : FuzzTarget
{
    private const int Pages = 64;
    private const int Sections = 2;
    private const int SectionBytes = Sections * 8;
    private static readonly int[] Levels = [31, 16, 8, 4, 2, 0];

    // Files of 6 MiB, of which an input is a few places.
    private readonly byte[][] _files = [Machine(is61: false).Build(), Machine(is61: true).Build()];
    private readonly long _memoryLength = Machine(is61: false).Kernel.Memory.Length;

    public override int MaximumLength => 2 + SectionBytes + (Pages * SyntheticPages.Size);

    public override double Share => 0.25;

    public override IReadOnlyList<byte[]> Tokens =>
        [[0, 0, 0, 0xf0], [0, 0, 0, 0xf4], [0x7f, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0xff], [0x60, 0, 0, 0], [0x2f, 0, 0, 0, 0, 0xea, 0xff, 0xff]];

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            foreach (bool is61 in (bool[])[false, true])
            {
                SyntheticPages pages = Machine(is61);
                pages.Set(16, mapCount: is61 ? unchecked((uint)-129) : SyntheticPages.Buddy, @private: 2);
                pages.Set(20, SyntheticPages.Lru);
                pages.Set(21, SyntheticPages.Lru | SyntheticPages.Private);
                pages.Set(30, mapping: 1, mapCount: 0);
                pages.Folio(32, 4, mapping: 1, mapCount: 0);
                pages.Set(60, SyntheticPages.Poison);
                IEnumerable<byte> sections = Enumerable.Range(0, Sections).SelectMany(i => Section(pages.Kernel.Memory, i).ToArray());
                yield return [0, (byte)(is61 ? 1 : 0), .. sections, .. Structures(pages.Kernel.Memory)];
            }
        }
    }

    public override bool IsExpected(Exception exception) => exception is VmcoreFormatException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        if (input.Length < 2 + SectionBytes) return;
        byte[] bytes = _files[input[1] & 1];
        Span<byte> memory = bytes.AsSpan((int)(bytes.Length - _memoryLength));
        for (int i = 0; i < Sections; i++) input.Slice(2 + (i * 8), 8).CopyTo(Section(memory, i));
        ReadOnlySpan<byte> given = input[(2 + SectionBytes)..];
        Span<byte> structures = Structures(memory);
        given = given[..Math.Min(given.Length, structures.Length)];
        given.CopyTo(structures);
        structures[given.Length..].Clear();
        int level = Levels[input[0] % Levels.Length];
        using VmcoreFile file = SyntheticCore.Open(bytes);
        using PageFilter filter = new(file, level);
        ulong[] first = Walk(filter, file.Physical);
        ulong excluded = filter.Counts.Excluded;
        ulong[] second = Walk(filter, file.Physical);
        Require(first.AsSpan().SequenceEqual(second), "both walks choose the same pages");
        Require(excluded == filter.Counts.Excluded, "both walks count the same");
        Require(excluded <= file.Physical.PageCount, "no more pages are left out than there are");
    }

    private static Span<byte> Section(Span<byte> memory, int number) => memory.Slice((int)SyntheticPages.SectionsAt + (number * SyntheticPages.SectionSize), 8);

    private static Span<byte> Structures(Span<byte> memory) => memory.Slice(SyntheticPages.MapAt, Pages * SyntheticPages.Size);

    private static SyntheticPages Machine(bool is61)
    {
        SyntheticPages pages = new(Pages);
        if (is61) pages.Be61();
        return pages;
    }

    private static ulong[] Walk(PageFilter filter, PhysicalMemory memory)
    {
        List<ulong> words = [];
        filter.Select((page, keep) =>
        {
            ulong[] there = new ulong[keep.Length];
            memory.CopyMemoryBits(page, there);
            for (int i = 0; i < there.Length; i++) Require((keep[i] & ~there[i]) == 0, "only memory is kept");
            words.AddRange(keep);
        });
        return [.. words];
    }
}
