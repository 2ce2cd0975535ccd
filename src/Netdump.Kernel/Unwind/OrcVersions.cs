namespace Netdump.Kernel.Unwind;

/// <summary>Tells in which version a kernel's ORC tables are written. Three witnesses, each of which may leave several possible.</summary>
internal static class OrcVersions
{
    /// <summary>Bytes of orc_header: a hash over the format's definition (scripts/orc_hash.sh), in kernels since 6.4.</summary>
    public const int HeaderSize = 20;

    private const int Blocks = 64;
    private const int BlockEntries = 64;

    /// <summary>All there are.</summary>
    public static IReadOnlyList<OrcVersion> All { get; } = [OrcVersion.V1, OrcVersion.V2, OrcVersion.V3, OrcVersion.V4];

    /// <summary>The first witness: the header.</summary>
    /// <returns>Empty for a hash that is not known: a format newer than this program.</returns>
    public static IReadOnlyList<OrcVersion> ByHeader(ReadOnlySpan<byte> header) => Convert.ToHexStringLower(header) switch
    {
        "db84aed4103b31dd51e017f8f79783ca985c2c51" => [OrcVersion.V2],
        "fe5d32bf581bd63b2ca9a5c65ba5a625eab3fe24" => [OrcVersion.V3],
        "137c36ad7627c4dd55932176bb0ecdbd5041fc82" => [OrcVersion.V4],
        _ => [],
    };

    /// <summary>The second witness: which members BTF's struct orc_entry has. It does not have the registers' numbers.</summary>
    public static IReadOnlyList<OrcVersion> ByMembers(bool hasSignal, bool hasEnd) => (hasSignal, hasEnd) switch
    {
        (false, _) => [OrcVersion.V1],
        (true, true) => [OrcVersion.V2],
        _ => [OrcVersion.V3, OrcVersion.V4],
    };

    /// <summary>
    /// The third witness: the table itself. Most places in the code are in functions that pushed nothing yet: their entries count 8 bytes
    /// from the stack pointer, so the commonest register there has its number, and the commonest type is CALL.
    /// </summary>
    /// <returns>Empty when the table is no ORC table, or too little of it is in the dump.</returns>
    public static IReadOnlyList<OrcVersion> ByTable(OrcTable table)
    {
        Span<int> kinds = stackalloc int[16 * 8];
        kinds.Clear();
        var seen = 0;
        var count = Math.Min(table.Count, Blocks * BlockEntries);
        for (var i = 0; i < count; i++)
        {
            var index = (int)((long)(i / BlockEntries) * table.Count / Blocks) + i % BlockEntries;
            if (table.Count <= Blocks * BlockEntries)
                index = i;
            if (index >= table.Count || !table.TryRaw(index, out var spOffset, out _, out var bits) || spOffset != 8 || (bits >> 4 & 15) != 0)
                continue;
            kinds[(bits & 15) * 8 + (bits >> 8 & 7)]++;
            seen++;
        }
        var most = 0;
        for (var i = 0; i < kinds.Length; i++)
            most = kinds[i] > kinds[most] ? i : most;
        if (seen < 16 || kinds[most] * 10 < seen * 9)
            return [];
        return (most / 8, most % 8) switch
        {
            (5, 0) => [OrcVersion.V1, OrcVersion.V2],
            (5, 2) => [OrcVersion.V3],
            (3, 2) => [OrcVersion.V4],
            _ => [],
        };
    }

    /// <summary>Tells the first two versions apart, when nothing else does: by the end bit, which a dozen entries of half a million have.</summary>
    /// <remarks>Reads the whole table. The first version leaves bit 11 alone.</remarks>
    public static IReadOnlyList<OrcVersion> ByEndBit(OrcTable table)
    {
        IReadOnlyList<OrcVersion> answer = [OrcVersion.V1, OrcVersion.V2];
        for (var i = 0; i < table.Count; i++)
        {
            if (!table.TryRaw(i, out _, out _, out var bits))
                continue;
            if ((bits >> 11 & 1) != 0)
                return [OrcVersion.V2];
            if ((bits & 15) == 0 && (bits >> 10 & 1) != 0)
                answer = [OrcVersion.V1];
        }
        return answer;
    }
}
