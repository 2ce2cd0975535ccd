using CsCheck;
using Netdump.Protocols.Classic;

namespace Netdump.Protocols.Tests.Classic;

public sealed class ExchangeTests
{
    public static TheoryData<ClassicClientProfile> Profiles =>
        new(ClassicClientProfile.A, ClassicClientProfile.B, ClassicClientProfile.C, ClassicClientProfile.D, ClassicClientProfile.Netdump);

    [Theory, MemberData(nameof(Profiles))]
    public void Item60_memory_is_identical_at_5_percent_loss_with_reordering_and_duplicates(ClassicClientProfile profile) =>
        Gen.Select(Gen.Int[0, 1_000_000], Gen.UInt[50, 800], Gen.UInt[0, 2]).Sample((seed, pages, size) =>
            Dump(profile, pages, size, seed, 0.05, 0.05, 0.2), iter: 25);

    [Theory, MemberData(nameof(Profiles))]
    public void Memory_is_identical_on_a_terrible_network(ClassicClientProfile profile) =>
        Gen.Select(Gen.Int[0, 1_000_000], Gen.Double[0, 0.3]).Sample((seed, loss) => Dump(profile, 100, 1, seed, loss, 0.2, 0.9), iter: 10);

    [Theory, MemberData(nameof(Profiles))]
    public void On_a_clean_network_nothing_is_asked_twice(ClassicClientProfile profile)
    {
        Exchange exchange = Dump(profile, 2000, 1, 42, 0, 0, 0);
        ClassicServerCounters counters = exchange.Server.Counters;
        Assert.Equal(0, counters.Invalid + counters.Stale + counters.Duplicates);
        Assert.Equal(0, counters.Retransmits);
        Assert.Equal("all tasks\n", exchange.Log.ToString());
        Assert.Equal(ClassicEndReason.Finished, exchange.Server.EndReason);
    }

    [Fact]
    public void Five_percent_of_loss_does_not_make_a_dump_wait_for_timeouts()
    {
        Exchange exchange = Dump(ClassicClientProfile.Netdump, 4000, 1, 7, 0.05, 0, 0);
        Assert.True(exchange.MemoryTime < TimeSpan.FromSeconds(3), $"{exchange.MemoryTime}"); // by timeouts alone 8 s
    }

    [Fact]
    public void Pages_that_were_left_out_are_told_and_never_asked() =>
        Gen.Select(Gen.Int[0, 1_000_000], Gen.UInt[50, 30_000], Gen.Bool).Sample((seed, pages, lossy) =>
        {
            Exchange exchange = Dump(ClassicClientProfile.Netdump, pages, 0, seed, lossy ? 0.05 : 0, lossy ? 0.05 : 0, lossy ? 0.2 : 0, leavesOut: true);
            byte[] leftOut = exchange.LeftOut!;
            Assert.DoesNotContain(exchange.Asked, pfn => (leftOut[pfn >> 3] >> (int)(pfn & 7) & 1) != 0);
        }, iter: 15);

    [Fact]
    public void A_client_that_leaves_nothing_out_says_so()
    {
        Exchange exchange = Dump(ClassicClientProfile.Netdump, 20_000, 0, 3, 0, 0, 0, leavesOut: false, asks: true);
        Assert.NotEmpty(exchange.Asked);
    }

    private static Exchange Dump(
        ClassicClientProfile profile, uint pages, uint size, int seed, double loss, double duplication, double reordering, bool leavesOut = false, bool asks = false)
    {
        uint pageSize = size == 0 ? 1024u : size == 1 ? 4096u : 16384u;
        Random random = new(seed);
        byte[] memory = new byte[pages * pageSize];
        random.NextBytes(memory);
        List<(ulong, ulong)> ram = [(0, 1)];
        for (ulong at = 1; at < pages;)
        {
            ulong end = Math.Min(at + (ulong)random.Next(1, 200), pages);
            if (random.Next(3) != 0)
                ram.Add((at, end));
            at = end;
        }

        ram.Add((pages - 1, pages));
        ClassicMemoryMap map = new(ram);
        for (uint pfn = 0; pfn < pages; pfn++)
        {
            if (!map.IsRam(pfn))
                memory.AsSpan((int)(pfn * pageSize), (int)pageSize).Clear();
        }

        byte[] header = new byte[random.Next(1, 30) * 1024];
        random.NextBytes(header);
        byte[] registers = new byte[profile == ClassicClientProfile.A ? 68 : 216];
        random.NextBytes(registers);
        ClassicClientOptions options = new()
        {
            Profile = profile,
            PageSize = pageSize,
            Memory = map,
            Magic = (ulong)random.NextInt64(),
            Registers = registers,
            HeaderLength = header.Length,
            LeavesOut = leavesOut,
        };
        byte[] leftOut = new byte[(pages + 7) / 8];
        for (uint pfn = 0; leavesOut && pfn < pages; pfn++)
        {
            if (!map.IsRam(pfn) || random.Next(3) == 0)
                continue;
            leftOut[pfn >> 3] |= (byte)(1 << (int)(pfn & 7));
            memory.AsSpan((int)(pfn * pageSize), (int)pageSize).Clear(); // the server stores nothing there
        }

        Exchange exchange = new(options, memory, header, seed, loss, duplication, reordering) { LeftOut = leavesOut || asks ? leftOut : null };
        exchange.Run();
        Assert.Equal(pages, exchange.Server.PageCount);
        Assert.All(exchange.Accounted, count => Assert.Equal(1, count));
        Assert.True(memory.AsSpan().SequenceEqual(exchange.Stored));
        Assert.Equal(registers, exchange.Server.Registers.ToArray());
        Assert.Equal(profile == ClassicClientProfile.Netdump ? header : [], exchange.Server.Header.ToArray());
        return exchange;
    }
}
