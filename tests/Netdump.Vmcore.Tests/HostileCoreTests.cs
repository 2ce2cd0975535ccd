using System.Text;
using CsCheck;

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
    public void Item63_a_dump_cut_anywhere_gives_a_format_error_at_worst()
    {
        var sound = SyntheticDump.Make("first words", "last words");
        Gen.Int[0, sound.Length - 1].Sample(length => Survives(sound[..length]), iter: 100);
    }

    private static bool Survives(byte[] bytes)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            using var file = SyntheticCore.Open(bytes);
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
