using System.Text;
using CsCheck;
using Netdump.Protocols.NetConsole;

namespace Netdump.Protocols.Tests.NetConsole;

public class FragmentTests
{
    private static readonly TimeSpan Start = TimeSpan.FromSeconds(10);

    private static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    private static byte[] Piece(string slice, long offset, long total, ulong sequence = 7, string keys = "") =>
        Bytes($"6,{sequence},99,-{keys},ncfrag={offset}/{total};{slice}");

    private static Collected Deliver(IEnumerable<byte[]> datagrams, ConsoleWorkspace? workspace = null, TimeSpan? after = null)
    {
        Collected collected = new();
        ConsoleStream stream = new(workspace ?? new ConsoleWorkspace());
        foreach (byte[] datagram in datagrams) stream.ReceiveExtended(datagram, Start, collected.Sink);
        stream.Advance(Start + (after ?? TimeSpan.FromMilliseconds(250)), collected.Sink);
        return collected;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Item23_the_recorded_pair_joins_in_both_orders(bool reversed)
    {
        List<byte[]> pair = [.. Recording.Datagrams("7.3-extud").Where(d => Encoding.Latin1.GetString(d).Contains(",ncfrag=", StringComparison.Ordinal))];
        Assert.Equal([1000, 161], pair.Select(p => p.Length));
        if (reversed) pair.Reverse();
        Collected.Item item = Assert.Single(Deliver(pair).Items);
        Assert.Equal(426UL, item.Sequence);
        Assert.False(item.IsPartial);
        Assert.StartsWith("lab: long line begin 0123456789", item.Text, StringComparison.Ordinal);
        Assert.EndsWith("0123456789 end", item.Text, StringComparison.Ordinal);
        Assert.True(ExtendedRecord.TryParse(item.Raw, out ExtendedRecord record));
        Assert.Equal(1061, record.Body.Length);
        Assert.True(record.Lines.TryGet(RecordLineKind.UserData, "machine"u8, out ReadOnlySpan<byte> machine));
        Assert.Equal("crashguest-7f3a", Encoding.Latin1.GetString(machine));
        Assert.True(record.Lines.TryGet(RecordLineKind.SysData, "msgid"u8, out ReadOnlySpan<byte> id));
        Assert.Equal("4", Encoding.Latin1.GetString(id));
    }

    [Fact]
    public void Item24_the_invented_pair_joins()
    {
        string body = new string('A', 1001) + "\n rack=a7\n";
        Assert.Equal(1011, body.Length);
        body = body[1..];
        byte[] first = Bytes("6.12.9-x,6,600,99000200,-,ncfrag=0/1010;" + body[..960]);
        byte[] second = Bytes("6.12.9-x,6,600,99000200,-,ncfrag=960/1010;" + body[960..]);
        Assert.Equal((1000, 92), (first.Length, second.Length));
        Assert.Equal(new string('A', 1000), Assert.Single(Deliver([first, second]).Items).Text);
    }

    [Fact]
    public void Item24_pieces_in_any_order_join()
    {
        Gen.Select(Gen.Shuffle(Enumerable.Range(0, 10).ToArray()), Gen.Byte.Array[91, 1500]).Sample((order, bytes) =>
        {
            string body = Encoding.Latin1.GetString(bytes);
            int size = (body.Length + 9) / 10;
            byte[][] pieces = [.. Enumerable.Range(0, 10).Where(i => i * size < body.Length)
                .Select(i => Piece(body[(i * size)..Math.Min(body.Length, (i + 1) * size)], i * size, body.Length))];
            Collected.Item item = Assert.Single(Deliver(order.Where(i => i < pieces.Length).Select(i => pieces[i])).Items);
            Assert.False(item.IsPartial);
            // Of a whole record one trailing zero counts as the sender's terminator, and is no part of the text.
            Assert.Equal(Bytes("6,7,99,-;" + body), item.Raw);
        });
    }

    [Theory]
    [InlineData("", 0, 0)]
    [InlineData("xx", 0, 0)]
    [InlineData("xx", 5, 5)]
    [InlineData("xx", 6, 5)]
    [InlineData("xxx", 3, 5)]
    [InlineData("xx", 0, 72 * 1024 + 1)]
    [InlineData("xx", 0, 4294967295)]
    [InlineData("xx", 4294967000, 4294967295)]
    public void Item25_impossible_pieces_are_counted_and_dropped(string slice, long offset, long total)
    {
        ConsoleWorkspace workspace = new();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Collected collected = Deliver([Piece(slice, offset, total)], workspace, TimeSpan.FromSeconds(2));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * 1024);
        Assert.Empty(collected.Items);
        Assert.Equal(1, workspace.InvalidFragments);
        Assert.Equal(0, workspace.Fragments.Used);
    }

    [Fact]
    public void Item25_two_totals_two_keys_and_unreadable_keys_are_dropped()
    {
        ConsoleWorkspace workspace = new();
        byte[][] datagrams =
        [
            Piece("abc", 0, 6), Piece("def", 3, 7), Piece("xxx", 0, 6, keys: ",ncfrag=0/3"), Bytes("6,7,99,-,ncfrag=;x"), Bytes("6,7,99,-,ncfrag=3;x"),
            Bytes("6,7,99,-,ncfrag=-1/3;x"), Bytes("6,7,99,-,ncfrag=0/6,caller=T1;x"), Piece("de\n", 3, 6),
        ];
        Assert.Equal("abcde", Assert.Single(Deliver(datagrams, workspace).Items).Text);
        Assert.Equal(6, workspace.InvalidFragments);
    }

    [Fact]
    public void Item26_a_missing_piece_is_marked_after_250_ms()
    {
        byte[][] pieces = [Piece("Kernel panic - not", 0, 40), Piece("sync\n", 35, 40)];
        Assert.Empty(Deliver(pieces, after: TimeSpan.FromMilliseconds(249)).Items);
        Collected.Item item = Assert.Single(Deliver(pieces, after: TimeSpan.FromMilliseconds(250)).Items);
        Assert.True(item.IsPartial);
        Assert.Equal("Kernel panic - not[… 17 bytes lost …]sync", Encoding.UTF8.GetString(Bytes(item.Text)));
    }

    [Fact]
    public void Item26_the_record_comes_again_whole_after_its_partial_copy()
    {
        Collected collected = new();
        ConsoleStream stream = new(new ConsoleWorkspace());
        stream.ReceiveExtended(Piece("abc", 0, 6), Start, collected.Sink);
        stream.Advance(Start + TimeSpan.FromMilliseconds(300), collected.Sink);
        stream.ReceiveExtended("6,7,99,-;abcde\n"u8, Start + TimeSpan.FromMilliseconds(301), collected.Sink);
        Assert.Equal([true, false], collected.Items.Select(i => i.IsPartial));
    }

    [Fact]
    public void Item27_copies_change_nothing_and_contradictions_lose()
    {
        ConsoleWorkspace workspace = new();
        byte[] last = Piece("de\n", 3, 6);
        Collected collected = Deliver([Piece("abc", 0, 6), Piece("abc", 0, 6), Piece("XYZ", 0, 6), last, last], workspace, TimeSpan.FromSeconds(2));
        Assert.Equal("abcde", Assert.Single(collected.Items).Text);
        Assert.Equal(1, workspace.ConflictingFragments);
        Assert.Equal(1, workspace.Duplicates);
    }

    [Fact]
    public void Two_targets_with_bodies_of_two_lengths_give_one_record()
    {
        Collected collected = Deliver([Piece("abc", 0, 6), Bytes("6,7,99,-;abcde\n"), Piece("de\n", 3, 6)], after: TimeSpan.FromSeconds(2));
        Assert.Equal(["abcde"], collected.Texts);
    }

    [Fact]
    public void Open_records_are_bounded_and_the_oldest_is_delivered_rather_than_lost()
    {
        ConsoleWorkspace workspace = new();
        Collected collected = new();
        ConsoleStream stream = new(workspace);
        for (ulong i = 0; i < 1000; i++)
        {
            stream.ReceiveExtended(Piece("tail", ExtendedRecord.MaximumBody - 4, ExtendedRecord.MaximumBody, sequence: 100 + i), Start, collected.Sink);
            Assert.InRange(workspace.Fragments.Used, 0, 256 * 1024);
        }

        stream.Flush(Start, collected.Sink);
        Assert.Equal(1000, collected.Items.Count);
        Assert.All(collected.Items, i => Assert.EndsWith("tail", i.Text, StringComparison.Ordinal));
        Assert.Equal(0, workspace.Fragments.Used);
    }

    [Fact]
    public void When_all_streams_together_hold_too_much_a_piece_is_shown_by_itself()
    {
        FragmentPool pool = new(limit: 100);
        FragmentAssembler assembler = new(pool);
        Assert.True(ExtendedRecord.TryParse(Piece("abc", 5, 500), out ExtendedRecord piece));
        assembler.Add(piece, Start);
        Assert.True(assembler.TryTake(Start, out ReadOnlySpan<byte> datagram, out int lost));
        Assert.Equal("6,7,99,-;[… 5 bytes lost …]abc[… 492 bytes lost …]", Encoding.UTF8.GetString(datagram));
        Assert.Equal(497, lost);
        Assert.False(assembler.TryTake(Start, out _, out _));
    }

    [Fact]
    public void A_trickle_of_pieces_does_not_hold_a_record_for_longer_than_a_second()
    {
        Collected collected = new();
        ConsoleStream stream = new(new ConsoleWorkspace());
        for (int i = 0; i < 12 && collected.Items.Count == 0; i++)
        {
            stream.ReceiveExtended(Piece("x", i, 50), Start + TimeSpan.FromMilliseconds(100 * i), collected.Sink);
            stream.Advance(Start + TimeSpan.FromMilliseconds(100 * i), collected.Sink);
            if (i < 10) Assert.Empty(collected.Items);
        }

        Assert.Single(collected.Items);
    }

    [Fact]
    public void Written_records_come_back_whatever_their_size_and_order()
    {
        Gen<byte[]> text = Gen.OneOf(Gen.Byte.Array[0, 200], Gen.Byte.Array[900, 1100], Gen.Byte.Array[3000, 4000]);
        Gen.Select(text, Gen.Byte.Array[0, 60], Gen.ULong, Gen.ULong[0, 1UL << 40], Gen.Int[0, 191], Gen.Bool, Gen.Int).Sample(
            (bytes, device, sequence, time, priority, capture, seed) =>
            {
                ExtendedRecordWriter writer = new();
                writer.Begin(priority, sequence, time, bytes);
                Assert.True(writer.AddDictionary("SUBSYSTEM"u8, "pci"u8));
                Assert.True(writer.AddDictionary("DEVICE"u8, device));
                if (capture) Assert.True(writer.AddUserData("NETDUMP"u8, "capture"u8));
                List<byte[]> datagrams = [];
                byte[] room = new byte[ExtendedRecordWriter.MaximumDatagram];
                while (writer.TryTake(room, out int length)) datagrams.Add(room[..length]);
                Assert.All(datagrams.SkipLast(1), d => Assert.Equal(1000, d.Length));
                byte[][] shuffled = [.. datagrams];
                new Random(seed).Shuffle(shuffled);

                Collected.Item item = Assert.Single(Deliver(shuffled).Items);
                Assert.Equal(Encoding.Latin1.GetString(bytes), item.Text);
                Assert.Equal((sequence, (ulong?)time, priority, capture, false), (item.Sequence, item.Microseconds, item.Priority, item.IsCapture, item.IsPartial));
                Assert.True(ExtendedRecord.TryParse(item.Raw, out ExtendedRecord record));
                Assert.True(record.Lines.TryGet("DEVICE"u8, out ReadOnlySpan<byte> value));
                byte[] unescaped = new byte[value.Length];
                Assert.Equal(device, unescaped[..EscapedText.Unescape(value, unescaped)]);
            });
    }

    [Fact]
    public void The_writer_cuts_as_the_recorded_kernel_did()
    {
        List<byte[]> pair = [.. Recording.Datagrams("7.3-extud").Where(d => Encoding.Latin1.GetString(d).Contains(",ncfrag=", StringComparison.Ordinal))];
        byte[] whole = Assert.Single(Deliver(pair).Items).Raw;
        Assert.True(ExtendedRecord.TryParse(whole, out ExtendedRecord record));
        ExtendedRecordWriter writer = new();
        writer.Begin(record.Priority, record.Sequence, record.Microseconds, record.EscapedText, release: record.Release);
        foreach (RecordLine line in record.Lines) Assert.True(writer.AddUserData(line.Key, line.Value));
        byte[] room = new byte[ExtendedRecordWriter.MaximumDatagram];
        foreach (byte[] datagram in pair)
        {
            Assert.True(writer.TryTake(room, out int length));
            Assert.Equal(datagram, room[..length]);
        }

        Assert.False(writer.TryTake(room, out _));
    }

    [Fact]
    public void Random_pieces_never_throw_and_every_delivery_is_a_record()
    {
        Gen<byte[]> piece = Gen.Select(Gen.Int[0, 40], Gen.Int[0, 40], Gen.ULong[0, 3], Gen.Byte.Array[0, 40], (offset, total, sequence, slice) =>
            Piece(Encoding.Latin1.GetString(slice), offset, total, sequence));
        piece.Array[0, 40].Sample(pieces =>
        {
            ConsoleWorkspace workspace = new();
            Collected collected = Deliver(pieces, workspace, TimeSpan.FromSeconds(2));
            Assert.All(collected.Items, i => Assert.True(ExtendedRecord.TryParse(i.Raw, out _)));
            Assert.Equal(0, workspace.Fragments.Used);
        });
    }
}
