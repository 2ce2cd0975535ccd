using System.Buffers.Binary;
using System.Text;
using CsCheck;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Tests;

/// <summary>A whole small dump, notes to log, with bytes changed at random: a format error at worst, and soon.</summary>
public class HostileCoreTests
{
    [Fact]
    public void The_dump_to_be_mutated_reads_from_its_notes_to_its_log()
    {
        using var file = SyntheticCore.Open(SyntheticDump.Make("first words", "last words"));
        Assert.Equal(["first words", "last words"], file.ReadLog().Select(r => Encoding.ASCII.GetString(r.Text.Span)));
        Assert.Equal(77, file.Processors[PanickingProcessor.Find(file.Processors, file.ReadLog())].Pid);
    }

    [Fact]
    public void Item63_changed_bytes_give_a_format_error_at_worst()
    {
        var sound = SyntheticDump.Make("first words", "last words");
        // Headers, notes, tables and the ring's description; the rest is empty.
        var places = Gen.OneOf(Gen.Int[0, 0x200], Gen.Int[0x1000, 0x1fff], Gen.Int[0x2000 + 0x4000, 0x2000 + 0x9fff], Gen.Int[0x2000 + SyntheticDump.RingAt + 0x1000, 0x2000 + SyntheticDump.RingAt + 0x20ff]);
        Gen.Select(places, Gen.Byte).Array[1, 8].Sample(changes =>
        {
            var bytes = (byte[])sound.Clone();
            foreach (var (at, value) in changes)
                bytes[at] = value;
            return Survives(bytes);
        }, iter: 300);
    }

    [Fact]
    public void Item63_more_memory_than_any_machine_has_is_no_dump()
    {
        SyntheticCore core = new();
        core.AddMemory(0, new byte[0x1000], (1UL << 48) + 0x1000);
        Assert.Contains("256 TiB), more than any machine has", Assert.Throws<VmcoreFormatException>(() => SyntheticCore.Open(core.Build())).Message, StringComparison.Ordinal);
    }

    /// <summary>128 TiB, of which the file holds a page: what looks through memory must look at that one alone.</summary>
    [Fact]
    public async Task Item63_memory_that_headers_claim_and_the_file_lacks_costs_no_time()
    {
        SyntheticCore core = new();
        core.AddMemory(0x1000, new byte[0x1000], 1UL << 47);
        using var file = SyntheticCore.Open(core.Build());
        Assert.Equal([new PageRange(1, 1)], file.Physical.HeldRanges);
        await Task.Run(() => Assert.Throws<VmcoreFormatException>(file.RequireInfo), TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Item63_a_dump_cut_anywhere_gives_a_format_error_at_worst()
    {
        var sound = SyntheticDump.Make("first words", "last words");
        Gen.Int[0, sound.Length - 1].Sample(length => Survives(sound[..length]), iter: 100);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public void Item63_every_field_of_the_ELF_headers_changed(bool is64, bool isBigEndian)
    {
        var core = new SyntheticCore
        {
            Is64 = is64,
            IsBigEndian = isBigEndian,
            HeadersAt = is64 ? 64 : 52,
            EntryLength = is64 ? 56 : 32,
            Machine = is64 ? (ushort)62 : (ushort)3,
        };
        core.AddNote("CORE", 1, SyntheticCore.Status(5));
        core.AddNote("VMCOREINFO", 0, "OSRELEASE=6.1.0\nPAGESIZE=4096\n"u8);
        core.AddMemory(0x1000, new byte[0x2000], 0x4000);
        core.AddMemory(0x10200, new byte[0x800]);
        var sound = core.Build();
        uint[] values = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 4095, 65537, 0x00100000];
        for (var at = 4; at < core.HeadersAt + 3 * core.EntryLength; at += 2)
        {
            foreach (var value in values)
            {
                foreach (var width in (int[])[2, 4])
                {
                    var bytes = (byte[])sound.Clone();
                    for (var i = 0; i < width; i++)
                        bytes[at + i] = (byte)(value >> (i % 4 * 8));
                    Assert.True(Survives(bytes), $"{value:x} in {width} bytes at {at}");
                }
            }
        }
    }

    [Theory]
    [InlineData(64 + 8, 1L << 40, "the file ends inside its headers")] // p_offset of the notes
    [InlineData(64 + 32, 1L << 25, "the file ends inside its headers")] // p_filesz of the notes
    [InlineData(64 + 32, 1L << 40, "bytes of notes")]
    [InlineData(64 + 56 + 8, long.MaxValue, "ends beyond any file")] // p_offset of memory
    [InlineData(64 + 56 + 24, 1L << 60, "above 2^52")] // p_paddr of memory
    [InlineData(64 + 56 + 32, 1L << 50, "memory segment has")] // p_filesz of memory
    public void Item63_what_lies_beyond_the_end_is_named_with_its_place(int at, long value, string expected)
    {
        var bytes = SyntheticDump.Make("words");
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(at), value);
        var error = Assert.Throws<VmcoreFormatException>(() => SyntheticCore.Open(bytes));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains("at offset 0x", error.Message, StringComparison.Ordinal);
    }

    private static bool Survives(byte[] bytes)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            using var file = MemoryBytes.Open(bytes);
            _ = file.Physical.Read(0, new byte[4096]);
            _ = PanickingProcessor.Find(file.Processors, file.ReadLog());
        }
        catch (VmcoreFormatException)
        {
            // The promised outcome.
        }
        return GC.GetAllocatedBytesForCurrentThread() - before < 64 << 20;
    }
}
