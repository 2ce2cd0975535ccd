using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Elf;

/// <summary>Virtual addresses of physical memory for the program headers of a core, as the kernel writes them: what gdb goes by.</summary>
internal sealed class DirectMap
{
    private const ulong ImageStep = 2 << 20;
    private const ulong LargestImage = 1UL << 30;

    private readonly List<(ulong Start, ulong End, ulong Address)> _known = [];
    private readonly List<(ulong Start, ulong End, ulong Address)> _images = [];
    private readonly ulong? _base;

    public DirectMap(VmcoreFile source)
    {
        if (source.Elf is { } elf)
        {
            foreach (var segment in elf.Segments)
                if (segment.IsMemory && segment.VirtualAddress > long.MaxValue)
                    _known.Add((segment.PhysicalAddress, segment.PhysicalEnd, segment.VirtualAddress));
            // The kernel's image is there twice, and lies above the direct map.
            _known.Sort(static (a, b) => a.Address.CompareTo(b.Address));
            for (var i = 1; i < _known.Count; i++)
                if (_known[..i].Exists(lower => lower.Start < _known[i].End && lower.End > _known[i].Start))
                    _images.Add(_known[i]);
        }
        else
            _base = Learn(source);
        _images.AddRange(KernelStacks.Find(source, IsDescribed));
    }

    /// <summary>Physical ranges that have a second address, the kernel image's and the stacks', which a debugger with vmlinux asks for.</summary>
    public IReadOnlyList<(ulong Start, ulong End, ulong Address)> Images => _images;

    /// <summary>The address, or 0 when it is not known.</summary>
    public ulong AddressOf(ulong physical)
    {
        foreach (var (start, end, address) in _known)
            if (physical >= start && physical < end)
                return address + (physical - start);
        // The first page of a range that does not begin with a page.
        foreach (var (start, _, address) in _known)
            if (physical < start && start - physical < 65536)
                return address - (start - physical);
        return _base is { } at ? unchecked(at + physical) : 0;
    }

    private bool IsDescribed(ulong physical, ulong address) =>
        AddressOf(physical) == address || _images.Exists(image => physical >= image.Start && physical < image.End && image.Address + (physical - image.Start) == address);

    // mem_section lies in the direct map, so the page tables tell the map's base; the image goes on as long as they map it in one piece.
    private ulong? Learn(VmcoreFile source)
    {
        try
        {
            var memory = source.OpenKernelMemory();
            if (source.Info!.Symbol("_stext") is { } text)
            {
                var start = text & ~(ImageStep - 1);
                var end = start;
                while (end - start < LargestImage && memory.TryTranslateImage(end, out var byRule)
                    && memory.Translate(end, out var byTables) == TranslationResult.Mapped && byRule == byTables)
                    end += ImageStep;
                if (end > start && memory.TryTranslateImage(start, out var physicalStart))
                    _images.Add((physicalStart, physicalStart + (end - start), start));
            }
            return source.Info.Symbol("mem_section") is { } section
                && memory.Translate(section, out var physical) == TranslationResult.Mapped ? section - physical : null;
        }
        catch (VmcoreFormatException)
        {
            return null;
        }
    }
}
