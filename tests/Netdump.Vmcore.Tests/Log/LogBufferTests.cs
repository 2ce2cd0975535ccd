using System.Buffers.Binary;
using System.Text;
using CsCheck;
using Netdump.Vmcore.Log;

namespace Netdump.Vmcore.Tests.Log;

/// <summary>The log of kernels before 5.10.</summary>
public class LogBufferTests
{
    [Fact]
    public void Item61_a_buffer_that_was_filled_many_times_shows_all_that_is_still_in_it() =>
        Gen.Int[0, 90].Array[1, 80].Sample(lengths =>
        {
            var buffer = new SyntheticLogBuffer();
            for (var i = 0; i < lengths.Length; i++)
                buffer.Write((ulong)i * 1000, string.Concat(Enumerable.Range(0, lengths[i]).Select(c => (char)('a' + (c + i) % 26))));
            var records = KernelLog.Read(buffer.Read, buffer.Info);
            Assert.Equal(buffer.Texts, records.Select(Text));
            Assert.All(records, r => Assert.Equal(RecordDamage.None, r.Damage));
            Assert.Equal((ulong)(lengths.Length - 1) * 1000, records[^1].Nanoseconds);
            Assert.Equal(Enumerable.Range(0, records.Count).Select(i => (ulong)i), records.Select(r => r.Sequence));
        });

    [Fact]
    public void Level_and_device_come_from_header_and_dictionary()
    {
        var buffer = new SyntheticLogBuffer();
        buffer.Write(1_500_000, "a device speaks", "SUBSYSTEM=pci\0DEVICE=+pci:0000:00:03.0", level: 3);
        var record = Assert.Single(KernelLog.Read(buffer.Read, buffer.Info));
        Assert.Equal((3, 2, 0, 1_500_000UL), (record.Level, record.Flags, record.Facility, record.Nanoseconds));
        Assert.Equal(("pci", "+pci:0000:00:03.0", null), (record.Subsystem, record.Device, record.Caller));
    }

    [Fact]
    public void A_caller_is_read_where_the_kernel_keeps_it()
    {
        var buffer = new SyntheticLogBuffer();
        buffer.Keys = buffer.Keys.Replace("SIZE(printk_log)=16", "SIZE(printk_log)=20\nOFFSET(printk_log.caller_id)=16", StringComparison.Ordinal);
        buffer.Record(0, 1, "CPU.text behind the caller", "", 6, 48);
        BinaryPrimitives.WriteUInt32LittleEndian(buffer.Buffer[16..], 0x80000002);
        buffer.Indexes(0, 48);
        Assert.Equal("C2", Assert.Single(KernelLog.Read(buffer.Read, buffer.Info)).Caller);
    }

    [Fact]
    public void Kernels_before_3_11_call_the_structure_log()
    {
        var buffer = new SyntheticLogBuffer();
        buffer.Write(1, "old");
        buffer.Keys = buffer.Keys.Replace("printk_log", "log", StringComparison.Ordinal);
        Assert.Equal("old", Text(Assert.Single(KernelLog.Read(buffer.Read, buffer.Info))));
    }

    [Fact]
    public void Item61_a_text_longer_than_its_record_is_cut_and_marked()
    {
        var buffer = new SyntheticLogBuffer();
        buffer.Write(1, "twelve bytes");
        BinaryPrimitives.WriteUInt16LittleEndian(buffer.Buffer[10..], 5000);
        var record = Assert.Single(KernelLog.Read(buffer.Read, buffer.Info));
        Assert.Equal((RecordDamage.Cut, 16), (record.Damage, record.Text.Length));
    }

    [Theory]
    [InlineData(8)] // shorter than its header
    [InlineData(0)] // a second mark of the end: a loop
    [InlineData(600)] // beyond the ring
    public void Item61_a_record_of_impossible_length_ends_the_log_with_a_mark(ushort length)
    {
        var buffer = new SyntheticLogBuffer();
        buffer.Record(0, 1, "first", "", 6, 24);
        buffer.Record(24, 2, "second", "", 6, length);
        buffer.Indexes(0, 100);
        if (length == 0)
            BinaryPrimitives.WriteUInt16LittleEndian(buffer.Buffer[8..], 0); // the start says that it is the end, too
        var records = KernelLog.Read(buffer.Read, buffer.Info);
        Assert.Equal(RecordDamage.Lost, records[^1].Damage);
        Assert.InRange(records.Count, 1, 2);
    }

    [Fact]
    public void Item61_records_that_lead_round_and_round_end()
    {
        var buffer = new SyntheticLogBuffer(length: 96);
        for (var at = 0; at < 96; at += 24)
            buffer.Record(at, 1, "a", "", 6, 24);
        buffer.Indexes(24, 20); // never reached
        var records = KernelLog.Read(buffer.Read, buffer.Info);
        Assert.Equal(4, records.Count);
        Assert.Equal(RecordDamage.Lost, records[^1].Damage);
    }

    [Fact]
    public void What_lies_in_a_page_that_is_not_in_the_dump_is_marked()
    {
        var buffer = new SyntheticLogBuffer(length: 0x1800);
        for (var i = 0; i < 100; i++)
            buffer.Write((ulong)i, $"a record of forty characters, number {i:d3}");
        buffer.MissingPages.Add(2);
        var records = KernelLog.Read(buffer.Read, buffer.Info);
        Assert.Equal(0x1000 / 56 + 1, records.Count);
        Assert.NotEqual(RecordDamage.None, records[^1].Damage);
        Assert.All(records.SkipLast(1), r => Assert.Equal(RecordDamage.None, r.Damage));
    }

    [Theory]
    [InlineData("SYMBOL(log_next_idx)=110\n", "", "SYMBOL(log_next_idx)")]
    [InlineData("SIZE(printk_log)=16\n", "", "SIZE(printk_log)")]
    [InlineData("SIZE(printk_log)=16\n", "SIZE(printk_log)=5000\n", "SIZE(printk_log)")]
    [InlineData("OFFSET(printk_log.dict_len)=12\n", "OFFSET(printk_log.dict_len)=13\n", "dict_len")]
    [InlineData("SYMBOL(log_buf_len)=108\n", "SYMBOL(log_buf_len)=10c\n", "log_buf_len")]
    [InlineData("SYMBOL(log_first_idx)=10c\n", "SYMBOL(log_first_idx)=104\n", "log_first_idx")]
    [InlineData("SYMBOL(log_buf)=100\n", "SYMBOL(log_buf)=ffff000000000000\n", "log_buf")]
    [InlineData("SYMBOL(log_buf)=100\n", "", "SYMBOL(prb)")]
    public void A_key_that_is_missing_or_absurd_is_a_format_error(string line, string instead, string named)
    {
        var buffer = new SyntheticLogBuffer();
        BinaryPrimitives.WriteUInt32LittleEndian(buffer.Memory.AsSpan(0x104), 0xffffff);
        Assert.Contains(line, buffer.Keys, StringComparison.Ordinal);
        buffer.Keys = buffer.Keys.Replace(line, instead, StringComparison.Ordinal);
        Assert.Contains(named, Assert.Throws<VmcoreFormatException>(() => KernelLog.Read(buffer.Read, buffer.Info)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Item63_a_buffer_of_random_bytes_ends() =>
        Gen.Select(Gen.Byte.Array[512], Gen.UInt[0, 511], Gen.UInt[0, 511]).Sample((noise, first, next) =>
        {
            var buffer = new SyntheticLogBuffer();
            noise.CopyTo(buffer.Buffer);
            for (var at = 9; at < 512; at += 16)
                buffer.Buffer[at] &= 1; // lengths that often fit
            buffer.Indexes(first, next);
            return KernelLog.Read(buffer.Read, buffer.Info).Sum(r => r.Text.Length + SyntheticLogBuffer.Header) <= 1024;
        }, iter: 2000);

    private static string Text(LogRecord record) => Encoding.UTF8.GetString(record.Text.Span);
}
