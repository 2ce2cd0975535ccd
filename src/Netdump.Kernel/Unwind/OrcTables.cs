namespace Netdump.Kernel.Unwind;

/// <summary>The ORC tables of a kernel and its modules.</summary>
internal sealed class OrcTables
{
    private readonly CrashedKernel _kernel;
    private readonly CachedMemory _memory;
    private readonly OrcTable _image;

    private OrcTables(CrashedKernel kernel, CachedMemory memory, OrcTable image, OrcVersion version)
    {
        (_kernel, _memory, _image) = (kernel, memory, image);
        Version = version;
    }

    /// <summary>How they are written.</summary>
    public OrcVersion Version { get; }

    /// <summary>Entries of the kernel image's.</summary>
    public int Count => _image.Count;

    /// <summary>Finds the kernel's tables and tells their version; null with a gap when there are none, or the witnesses disagree.</summary>
    public static OrcTables? Open(CrashedKernel kernel, CachedMemory memory)
    {
        if (Find(kernel, memory) is not { } table)
        {
            kernel.Gaps.Add("unwind tables", "the kernel has no ORC tables that could be found: stacks are searched for words that look like return addresses");
            return null;
        }
        if (Tell(kernel, memory, table, out var why) is { } version)
            return new OrcTables(kernel, memory, table, version);
        kernel.Gaps.Add("unwind tables", why);
        return null;
    }

    /// <summary>The entry for a code address.</summary>
    public bool TryFind(ulong address, out OrcEntry entry)
    {
        entry = default;
        var symbols = _kernel.Symbols!;
        if (_kernel.Modules.Find(address) is { } module)
            return module.IsText(address) && module.OrcCount is > 0 and <= OrcTable.MostEntries
                && new OrcTable(_memory, module.OrcAddresses, module.OrcEntries, module.OrcCount).TryFind(address, Version, out entry);
        return (symbols.IsText(address) || symbols.IsInitText(address)) && _image.TryFind(address, Version, out entry);
    }

    /// <summary>Finds the image's tables: by their symbols, else by their look.</summary>
    internal static OrcTable? Find(CrashedKernel kernel, CachedMemory memory) => BySymbols(kernel, memory) ?? OrcSearch.Find(kernel, memory);

    private static OrcTable? BySymbols(CrashedKernel kernel, CachedMemory memory)
    {
        if (kernel.Symbols is not { } symbols || !symbols.TryFind("__start_orc_unwind_ip", out var addresses)
            || !symbols.TryFind("__stop_orc_unwind_ip", out var end) || !symbols.TryFind("__start_orc_unwind", out var entries))
        {
            return null;
        }
        var count = unchecked(end - addresses) / 4;
        return end > addresses && count is > 0 and <= OrcTable.MostEntries ? new OrcTable(memory, addresses, entries, (int)count) : null;
    }

    private static OrcVersion? Tell(CrashedKernel kernel, CachedMemory memory, OrcTable table, out string why)
    {
        var possible = OrcVersions.All;
        why = "";
        if (kernel.Symbols is { } symbols && (symbols.TryFind("orc_header", out var header) || symbols.TryFind("__start_orc_header", out header)))
        {
            var bytes = new byte[OrcVersions.HeaderSize];
            if (memory.TryRead(header, bytes))
            {
                possible = OrcVersions.ByHeader(bytes);
                why = $"their format, orc_header {Convert.ToHexStringLower(bytes)}, is newer than this program";
            }
            if (possible.Count == 0)
                return null;
        }
        if (kernel.Types is { } types && types.SizeOf("orc_entry") is OrcEntry.Size)
            possible = [.. possible.Intersect(OrcVersions.ByMembers(HasMember(types, "signal"), HasMember(types, "end")))];
        possible = [.. possible.Intersect(OrcVersions.ByTable(table))];
        if (possible.Count > 1)
            possible = [.. possible.Intersect(OrcVersions.ByEndBit(table))];
        why = possible.Count == 0
            ? "header, types and content of the ORC tables do not agree on their format"
            : "the ORC tables could be of several formats";
        return possible.Count == 1 ? possible[0] : null;
    }

    private static bool HasMember(Types.KernelTypes types, string name) => types.OffsetOf("orc_entry", name) is not null;
}
