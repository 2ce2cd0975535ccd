using System.Buffers.Binary;
using System.Text;
using CsCheck;
using Netdump.Vmcore.Log;

namespace Netdump.Vmcore.Tests.Log;

public class KernelLogTests
{
    [Fact]
    public void Item60_a_ring_that_was_filled_many_times_shows_its_last_records_in_order() =>
        Gen.Select(
            Gen.Int[0, 40].Array[0, 60], Gen.Bool,
            Gen.OneOf(Gen.Const(0xfffffff0UL), Gen.Const(0x3ffffffffffffff0UL), Gen.Const(0x3fffffffffffffffUL))).Sample((lengths, newer, firstId) =>
        {
            var ring = new SyntheticRing(countBits: 3, sizeBits: 8, firstId, mayEndAtEnd: newer);
            var written = new List<string>();
            foreach (var length in lengths)
            {
                written.Add(string.Concat(Enumerable.Range(0, length).Select(i => (char)('a' + (written.Count + i) % 26))));
                ring.Write((ulong)written.Count - 1, written[^1]);
            }
            var records = KernelLog.Read(ring.Read, ring.Info);
            // Every record read is right, they ascend, and the newest is there.
            var sequence = -1L;
            foreach (var record in records)
            {
                if ((long)record.Sequence <= sequence || Text(record) != written[(int)record.Sequence])
                    return false;
                sequence = (long)record.Sequence;
            }
            return sequence == written.Count - 1;
        });

    [Fact]
    public void Item60_a_wrapped_block_lies_at_the_rings_start()
    {
        var ring = new SyntheticRing();
        ring.Ids(5, 5);
        ring.Descriptor(5, 2, 0x1f0, 0x220);
        ring.Information(5, 1, 20);
        ring.Block(0, 5, "twenty characters ok"u8);
        Assert.Equal("twenty characters ok", Text(Assert.Single(KernelLog.Read(ring.Read, ring.Info))));
    }

    [Fact]
    public void Item60_a_block_that_ends_exactly_at_the_rings_end_is_where_it_is()
    {
        var ring = new SyntheticRing();
        ring.Ids(5, 6);
        ring.Descriptor(5, 2, 0x1e8, 0x200);
        ring.Information(5, 1, 16);
        ring.Block(0xe8, 5, "ends at the end!"u8);
        ring.Descriptor(6, 2, 0x200, 0x210);
        ring.Information(6, 2, 7);
        ring.Block(0, 6, "another"u8);
        Assert.Equal(["ends at the end!", "another"], KernelLog.Read(ring.Read, ring.Info).Select(Text));
    }

    [Fact]
    public void Item60_only_complete_records_of_their_own_descriptor_are_read_and_the_text_only_of_their_own_block()
    {
        var ring = new SyntheticRing();
        ring.Ids(10, 16);
        Whole(ring, 10, 1, 0); // committed
        Whole(ring, 11, 0, 1); // reserved: the writer died
        Whole(ring, 12, 3, 2); // reusable
        Whole(ring, 13, 2, 3);
        ring.Descriptor(13 + 8, 2, 0, 0x20); // the slot serves a later record
        Whole(ring, 14, 2, 4);
        ring.Block(4 * 32, 99, "not this record's"u8);
        Whole(ring, 15, 2, 5);
        ring.Descriptor(15, 2, 1, 1); // its data was lost
        Whole(ring, 16, 2, 6);
        var records = KernelLog.Read(ring.Read, ring.Info);
        Assert.Equal(["record 10", "", "", "record 16"], records.Select(Text));
        Assert.Equal([RecordDamage.None, RecordDamage.Lost, RecordDamage.Lost, RecordDamage.None], records.Select(r => r.Damage));
        Assert.Equal([10UL, 14UL, 15UL, 16UL], records.Select(r => r.Sequence));
    }

    [Fact]
    public void Item60_an_empty_line_is_a_record_and_a_long_text_is_cut_to_its_block()
    {
        var ring = new SyntheticRing();
        ring.Ids(10, 11);
        ring.Descriptor(10, 2, 3, 3);
        ring.Information(10, 7, 0);
        Whole(ring, 11, 2, 1);
        ring.Information(11, 8, 500);
        var records = KernelLog.Read(ring.Read, ring.Info);
        Assert.Equal([7UL, 8UL], records.Select(r => r.Sequence));
        Assert.Equal(0, records[0].Text.Length);
        Assert.Equal(24, records[1].Text.Length);
        Assert.Equal((RecordDamage.None, RecordDamage.Cut), (records[0].Damage, records[1].Damage));
    }

    [Theory]
    [InlineData(0x20, 0x27)] // no room for the id
    [InlineData(0x20, 0x20)]
    [InlineData(0x20, 0x18)]
    [InlineData(0x20, 0x320)] // longer than the ring
    [InlineData(0xf8, 0x2f8)]
    public void Item60_a_block_of_impossible_size_is_a_lost_text(ulong begin, ulong next)
    {
        var ring = new SyntheticRing();
        ring.Ids(2, 2);
        ring.Descriptor(2, 2, begin, next);
        ring.Information(2, 1, 4);
        ring.Block(begin & 0xff, 2, "text"u8);
        var record = Assert.Single(KernelLog.Read(ring.Read, ring.Info));
        Assert.Equal((RecordDamage.Lost, 0), (record.Damage, record.Text.Length));
    }

    [Fact]
    public void A_record_whose_writer_died_inside_comes_on_request()
    {
        var ring = new SyntheticRing();
        ring.Ids(10, 11);
        Whole(ring, 10, 2, 0);
        Whole(ring, 11, 0, 1);
        ring.Information(11, 11, 0); // the length is written last
        Assert.Equal(["record 10"], KernelLog.Open(ring.Read, ring.Info).Records().Select(Text));
        var all = KernelLog.Open(ring.Read, ring.Info).Records(uncommitted: true).ToList();
        Assert.Equal(["record 10", "record 11"], all.Select(Text));
        Assert.Equal(RecordDamage.Uncommitted, all[1].Damage);
    }

    [Fact]
    public void Item62_level_flags_caller_and_device_come_from_the_info()
    {
        var ring = new SyntheticRing();
        ring.Ids(1, 2);
        Whole(ring, 1, 2, 0);
        ring.Information(1, 40, 8, flags: (3 << 5) | 2, caller: 0x80000003, subsystem: "pci", device: "+pci:0000:00:03.0");
        Whole(ring, 2, 2, 1);
        ring.Information(2, 41, 8, flags: 6 << 5, caller: 177);
        var records = KernelLog.Read(ring.Read, ring.Info);
        Assert.Equal((3, 2, 3, null, "pci", "+pci:0000:00:03.0"), (records[0].Level, records[0].Flags, records[0].Processor, records[0].Thread, records[0].Subsystem, records[0].Device));
        Assert.Equal((6, 177, null, null), (records[1].Level, records[1].Thread, records[1].Subsystem, records[1].Device));
        Assert.Equal(40000UL, records[0].Nanoseconds);
    }

    [Theory]
    [InlineData(0, 25u, "count_bits")]
    [InlineData(0, 0u, "count_bits")]
    [InlineData(48, 32u, "size_bits")]
    [InlineData(48, 0xffffffffu, "size_bits")]
    public void Item60_an_absurd_ring_is_a_format_error(int at, uint bits, string field)
    {
        var ring = new SyntheticRing();
        BinaryPrimitives.WriteUInt32LittleEndian(ring.Memory.AsSpan((int)SyntheticRing.RingAddress + at), bits);
        Assert.Contains(field, Assert.Throws<VmcoreFormatException>(() => KernelLog.Read(ring.Read, ring.Info)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("SYMBOL(prb)=1000\n", "")]
    [InlineData("SIZE(prb_desc)=24\n", "")]
    [InlineData("SIZE(prb_desc)=24\n", "SIZE(prb_desc)=16\n")]
    [InlineData("SIZE(printk_info)=112\n", "SIZE(printk_info)=5000\n")]
    [InlineData("OFFSET(printk_info.text_len)=16\n", "OFFSET(printk_info.text_len)=110\n")]
    [InlineData("SYMBOL(prb)=1000\n", "SYMBOL(prb)=ffff000000001000\n")]
    public void A_key_that_is_missing_or_absurd_is_a_format_error(string line, string instead)
    {
        var ring = new SyntheticRing();
        Assert.Contains(line, ring.Keys, StringComparison.Ordinal);
        ring.Keys = ring.Keys.Replace(line, instead, StringComparison.Ordinal);
        Assert.Throws<VmcoreFormatException>(() => KernelLog.Read(ring.Read, ring.Info));
    }

    [Fact]
    public void Records_behind_a_page_that_is_not_in_the_dump_are_still_read()
    {
        var ring = new SyntheticRing(countBits: 7, sizeBits: 12, firstId: 0);
        for (var i = 0UL; i < 100; i++)
            ring.Write(i, $"record {i}");
        // Infos of 112 bytes: ids 37-73 touch the second page; id i is record i-1.
        ring.MissingPages.Add((SyntheticRing.InfosAddress >> 12) + 1);
        var sequences = KernelLog.Read(ring.Read, ring.Info).Select(r => (int)r.Sequence);
        Assert.Equal([.. Enumerable.Range(0, 35), .. Enumerable.Range(73, 27)], sequences);
    }

    [Fact]
    public void Item63_a_ring_of_random_bytes_ends() =>
        Gen.Select(Gen.Byte.Array[0x400], Gen.Int[1, 24], Gen.Int[1, 31], Gen.ULong, Gen.ULong).Sample((noise, countBits, sizeBits, head, tail) =>
        {
            var ring = new SyntheticRing();
            for (var i = 0x10000; i < ring.Memory.Length; i++)
                ring.Memory[i] = noise[i % noise.Length];
            BinaryPrimitives.WriteInt32LittleEndian(ring.Memory.AsSpan((int)SyntheticRing.RingAddress), countBits);
            BinaryPrimitives.WriteInt32LittleEndian(ring.Memory.AsSpan((int)SyntheticRing.RingAddress + 48), sizeBits);
            ring.Ids(tail, head);
            try
            {
                return KernelLog.Read(ring.Read, ring.Info).Count <= 1 << countBits;
            }
            catch (VmcoreFormatException)
            {
                return true;
            }
        }, iter: 30);

    private static void Whole(SyntheticRing ring, ulong id, ulong state, ulong place)
    {
        var text = Encoding.ASCII.GetBytes($"record {id}");
        ring.Descriptor(id, state, place * 32, place * 32 + 32);
        ring.Information(id, id, text.Length);
        ring.Block(place * 32, id, text);
    }

    private static string Text(LogRecord record) => Encoding.UTF8.GetString(record.Text.Span);
}
