using Netdump.Kernel.Unwind;

namespace Netdump.Kernel.Tests.Unwind;

public class OrcVersionsTests
{
    public static TheoryData<int> Versions => [1, 2, 3, 4];

    [Theory]
    [MemberData(nameof(Versions))]
    public void Item20_a_table_tells_its_version_itself(int version)
    {
        var expected = (OrcVersion)version;
        var table = Table(expected);
        var byTable = OrcVersions.ByTable(table);
        Assert.Equal(version < 3 ? [OrcVersion.V1, OrcVersion.V2] : [expected], byTable);
        if (version < 3)
            Assert.Equal([expected], OrcVersions.ByEndBit(table));
    }

    [Fact]
    public void Item20_the_header_and_the_members_of_the_entry_tell_the_version()
    {
        Assert.Equal([OrcVersion.V3], OrcVersions.ByHeader(Convert.FromHexString("fe5d32bf581bd63b2ca9a5c65ba5a625eab3fe24")));
        Assert.Equal([OrcVersion.V4], OrcVersions.ByHeader(Convert.FromHexString("137c36ad7627c4dd55932176bb0ecdbd5041fc82")));
        Assert.Equal([OrcVersion.V2], OrcVersions.ByHeader(Convert.FromHexString("db84aed4103b31dd51e017f8f79783ca985c2c51")));
        Assert.Empty(OrcVersions.ByHeader(new byte[20]));
        Assert.Equal([OrcVersion.V1], OrcVersions.ByMembers(hasSignal: false, hasEnd: true));
        Assert.Equal([OrcVersion.V2], OrcVersions.ByMembers(hasSignal: true, hasEnd: true));
        Assert.Equal([OrcVersion.V3, OrcVersion.V4], OrcVersions.ByMembers(hasSignal: true, hasEnd: false));
    }

    [Fact]
    public void Item20_each_witness_alone_gives_the_first_version_for_6_1_and_the_last_for_7_3()
    {
        foreach (var (path, expected, isFirst) in ((string, OrcVersion, bool)[])[(Crashes.Linux61, OrcVersion.V1, true), (Crashes.Linux73, OrcVersion.V4, false)])
        {
            var kernel = Crashes.Open(path);
            using var dump = kernel.Dump;
            var table = OrcTables.Find(kernel, new CachedMemory(kernel.Memory.Read))!;
            var types = kernel.Types!;
            var byMembers = OrcVersions.ByMembers(types.OffsetOf("orc_entry", "signal") is not null, types.OffsetOf("orc_entry", "end") is not null);
            Assert.Contains(expected, byMembers);
            Assert.Contains(expected, OrcVersions.ByTable(table));
            if (isFirst)
            {
                Assert.Equal([expected], byMembers);
                Assert.Equal([expected], OrcVersions.ByEndBit(table));
            }
            Assert.Equal(isFirst, !kernel.Symbols!.TryFind("orc_header", out _));
            Assert.Equal(expected, kernel.Unwinder!.Tables!.Version);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_search_finds_the_tables_that_the_symbols_name(bool isNew)
    {
        var kernel = Crashes.Open(isNew ? Crashes.Linux73 : Crashes.Linux61);
        using var dump = kernel.Dump;
        var memory = new CachedMemory(kernel.Memory.Read);
        var bySymbols = OrcTables.Find(kernel, memory)!;
        var byLook = OrcSearch.Find(kernel, memory)!;
        Assert.Equal(isNew ? 531463 : 384849, byLook.Count);
        Assert.Equal(bySymbols.Count, byLook.Count);
        foreach (var index in (ReadOnlySpan<int>)[0, 1000, byLook.Count - 1])
        {
            Assert.True(bySymbols.TryAddress(index, out var address) && byLook.TryAddress(index, out var found) && address == found);
            Assert.True(bySymbols.TryRaw(index, out var sp, out var bp, out var bits));
            Assert.True(byLook.TryRaw(index, out var sp2, out var bp2, out var bits2));
            Assert.Equal((sp, bp, bits), (sp2, bp2, bits2));
        }
    }

    [Fact]
    public void What_is_no_table_of_entries_has_no_version() =>
        Assert.Empty(OrcVersions.ByTable(new OrcTable(new CachedMemory((_, d) => { d.Fill(0x5a); return d.Length; }), 0x1000, 0x100000, 5000)));

    private static OrcTable Table(OrcVersion version)
    {
        const int Count = 6000;
        var entries = new byte[Count * OrcEntry.Size];
        for (var i = 0; i < Count; i++)
        {
            var entry = i == 77 ? new OrcEntry(0, 0, OrcRegister.Undefined, OrcRegister.Undefined, OrcType.End, false)
                : i % 3 == 0 ? SyntheticStack.Call(8) : SyntheticStack.Call(48, bpOffset: -16, bp: OrcRegister.PreviousSp);
            SyntheticStack.Encode(entry, version).CopyTo(entries.AsSpan(i * OrcEntry.Size));
        }
        return new OrcTable(new CachedMemory((address, destination) =>
        {
            if (address < 0x10000 || address - 0x10000 >= (ulong)entries.Length)
                return 0;
            var part = entries.AsSpan((int)(address - 0x10000));
            part = part[..Math.Min(part.Length, destination.Length)];
            part.CopyTo(destination);
            return part.Length;
        }), 0, 0x10000, Count);
    }
}
