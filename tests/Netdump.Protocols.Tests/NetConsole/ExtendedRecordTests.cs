using System.Text;
using CsCheck;
using Netdump.Protocols.NetConsole;

namespace Netdump.Protocols.Tests.NetConsole;

public class ExtendedRecordTests
{
    private static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    private static string Unescaped(string escaped)
    {
        byte[] buffer = new byte[escaped.Length];
        return Text(buffer.AsSpan(0, EscapedText.Unescape(Bytes(escaped), buffer)));
    }

    private static List<(RecordLineKind Kind, string Key, string Value)> Lines(string datagram)
    {
        Assert.True(ExtendedRecord.TryParse(Bytes(datagram), out ExtendedRecord record));
        List<(RecordLineKind, string, string)> lines = [];
        foreach (RecordLine line in record.Lines) lines.Add((line.Kind, Text(line.Key), Text(line.Value)));
        return lines;
    }

    [Fact]
    public void Item10_payloads_up_to_the_largest_datagram_are_read()
    {
        byte[] datagram = new byte[65_507];
        Array.Fill(datagram, (byte)'x');
        "6,1,2,-;"u8.CopyTo(datagram);
        Assert.Equal(DatagramDialect.Extended, Dialects.Classify(datagram, false));
        Assert.True(ExtendedRecord.TryParse(datagram, out ExtendedRecord record));
        Assert.Equal(65_507 - 8, record.EscapedText.Length);
        Assert.True(ExtendedRecord.TryParse("6,1,2,-;"u8, out record));
        Assert.True(record.EscapedText.IsEmpty);
    }

    [Fact]
    public void Item11_header_of_the_6_1_recording()
    {
        Assert.True(ExtendedRecord.TryParse("12,393,3081269,-;lab: a warning-level line\n"u8, out ExtendedRecord record));
        Assert.Equal(1, record.Facility);
        Assert.Equal(4, record.Level);
        Assert.Equal(393UL, record.Sequence);
        Assert.Equal(3081269UL, record.Microseconds);
        Assert.Equal("lab: a warning-level line", Text(record.EscapedText));
        Assert.True(record.Release.IsEmpty);
        Assert.True(record.Lines.IsEmpty);
        Assert.Equal(FragmentMark.None, record.Fragment);
    }

    [Theory]
    [InlineData("0", 0, 0)]
    [InlineData("7", 0, 7)]
    [InlineData("191", 23, 7)]
    public void Item12_priorities_are_facility_and_level(string priority, int facility, int level)
    {
        Assert.True(ExtendedRecord.TryParse(Bytes(priority + ",5,1,-;x\n"), out ExtendedRecord record));
        Assert.Equal(facility, record.Facility);
        Assert.Equal(level, record.Level);
    }

    [Theory]
    [InlineData("1x,5,1,-;x\n")]
    [InlineData("-1,5,1,-;x\n")]
    [InlineData("6,5a,1,-;x\n")]
    [InlineData("6,5,,-;x\n")]
    [InlineData("6,99999999999999999999999,1,-;x\n")]
    public void Item12_a_header_that_is_not_numeric_is_basic_text(string datagram) =>
        Assert.Equal(DatagramDialect.Basic, Dialects.Classify(Bytes(datagram), false));

    [Theory]
    [InlineData("7.3.4+deb13-amd64")]
    [InlineData("6.1.0-56_custom.el9-x86_64")]
    [InlineData("1234567890123456789012345678901234567890123456789012345678901.x4")]
    public void Item13_release_prefix(string release)
    {
        Assert.True(ExtendedRecord.TryParse(Bytes(release + ",14,423,3098377,-;text\n"), out ExtendedRecord record));
        Assert.Equal(release, Text(record.Release));
        Assert.Equal(14, record.Priority);
        // Without a release, from another host on the same port, at once.
        Assert.True(ExtendedRecord.TryParse("14,423,3098377,-;text\n"u8, out record));
        Assert.True(record.Release.IsEmpty);
    }

    [Fact]
    public void Item14_flags()
    {
        foreach (char flag in "-c+") Assert.Equal(DatagramDialect.Extended, Dialects.Classify(Bytes($"6,5,1,{flag};x\n"), false));
        foreach (string flag in (string[])["x", "", "--", "C"])
            Assert.Equal(DatagramDialect.Basic, Dialects.Classify(Bytes($"6,5,1,{flag};x\n"), false));
    }

    [Fact]
    public void Item15_caller_and_unknown_keys()
    {
        Assert.True(ExtendedRecord.TryParse("6.12.9-x,4,512,99000123,-,caller=T45; foo_poll+0x26/0x40 [foo]\n rack=a7\n"u8, out ExtendedRecord record));
        Assert.Equal("T45", Text(record.Caller));
        Assert.Equal(" foo_poll+0x26/0x40 [foo]", Text(record.EscapedText));
        Assert.True(ExtendedRecord.TryParse("4,5,1,-,future=1,caller=C1,flagonly;x\n"u8, out record));
        Assert.Equal("C1", Text(record.Caller));
        Assert.Equal("future=1,caller=C1,flagonly", Text(record.HeaderKeys));
        Assert.Equal("x", Text(record.EscapedText));
    }

    [Fact]
    public void Item16_escapes()
    {
        Assert.Equal(Text("\t\\€"u8), Unescaped(@"\x09\x5c\xe2\x82\xac"));
        Assert.Equal("\u00ff", Unescaped(@"\xFF"));
        foreach (string literal in (string[])[@"\xZZ", @"\x", @"\", @"\x1", @"\\", @"\n", @"\x0g"]) Assert.Equal(literal, Unescaped(literal));
        Assert.Equal(@"a\x", Unescaped(@"a\x"));
        Assert.Equal("\\A", Unescaped(@"\\x41"));
    }

    [Theory]
    [InlineData("a;b;c")]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData(" dump_stack_lvl+0x34/0x48")]
    public void Item17_text_is_kept_exactly(string text)
    {
        Assert.True(ExtendedRecord.TryParse(Bytes($"6,5,1,-;{text}\n"), out ExtendedRecord record));
        Assert.Equal(text, Text(record.EscapedText));
    }

    [Theory]
    [InlineData("+pci:0000:00:03.0")]
    [InlineData("n2")]
    [InlineData("b8:0")]
    [InlineData("c4:64")]
    public void Item19_dictionary_is_apart_from_userdata(string device)
    {
        List<(RecordLineKind Kind, string Key, string Value)> lines = Lines($"6,399,3573242,-;e1000\n SUBSYSTEM=pci\n DEVICE={device}\n rack=a7\n");
        Assert.Equal(
            [(RecordLineKind.Dictionary, "SUBSYSTEM", "pci"), (RecordLineKind.Dictionary, "DEVICE", device), (RecordLineKind.UserData, "rack", "a7")],
            lines);
    }

    [Fact]
    public void Item20_userdata_named_like_the_dictionary_stays_userdata()
    {
        const string Datagram = "6,399,1,-;e1000\n SUBSYSTEM=pci\n DEVICE=+pci:0\n DEVICE=mine\n SUBSYSTEM=also mine\n";
        Assert.Equal(
            [
                (RecordLineKind.Dictionary, "SUBSYSTEM", "pci"), (RecordLineKind.Dictionary, "DEVICE", "+pci:0"),
                (RecordLineKind.UserData, "DEVICE", "mine"), (RecordLineKind.UserData, "SUBSYSTEM", "also mine"),
            ],
            Lines(Datagram));
        Assert.True(ExtendedRecord.TryParse(Bytes(Datagram), out ExtendedRecord record));
        Assert.True(record.Lines.TryGet("DEVICE"u8, out ReadOnlySpan<byte> device));
        Assert.Equal("+pci:0", Text(device));
        Assert.True(record.Lines.TryGet(RecordLineKind.UserData, "DEVICE"u8, out device));
        Assert.Equal("mine", Text(device));
    }

    [Theory]
    [InlineData("cpu taskname release msgid")]
    [InlineData("cpu msgid")]
    [InlineData("taskname")]
    [InlineData("")]
    public void Item21_sysdata_in_order_each_optional(string keys)
    {
        string[] present = keys.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string datagram = "6,1,1,-;x\n SUBSYSTEM=pci\n rack=a7\n" + string.Concat(present.Select(k => $" {k}=a = b\n"));
        List<(RecordLineKind Kind, string Key, string Value)> lines = Lines(datagram);
        Assert.Equal(present, lines.Where(l => l.Kind == RecordLineKind.SysData).Select(l => l.Key));
        Assert.All(lines.Where(l => l.Kind == RecordLineKind.SysData), l => Assert.Equal("a = b", l.Value));
        Assert.Equal(("rack", "a7"), Assert.Single(lines.Where(l => l.Kind == RecordLineKind.UserData).Select(l => (l.Key, l.Value))));
    }

    [Fact]
    public void Item21_userdata_named_like_sysdata_before_the_last_run_stays_userdata()
    {
        Assert.Equal(
            [RecordLineKind.UserData, RecordLineKind.UserData, RecordLineKind.SysData, RecordLineKind.SysData],
            Lines("6,1,1,-;x\n msgid=user\n note=1\n cpu=0\n msgid=9\n").Select(l => l.Kind));
        Assert.Equal(
            [RecordLineKind.UserData, RecordLineKind.SysData, RecordLineKind.SysData],
            Lines("6,1,1,-;x\n msgid=user\n cpu=0\n msgid=9\n").Select(l => l.Kind));
    }

    [Fact]
    public void Item22_userdata_with_newlines_and_high_bytes()
    {
        List<(RecordLineKind Kind, string Key, string Value)> lines = Lines("6,1,1,-;x\n note=first\nsecond\n third\n\n rack=a\u00e97;,\u0080\n");
        Assert.Equal([("note", "first\nsecond\n third\n"), ("rack", "a\u00e97;,\u0080")], lines.Select(l => (l.Key, l.Value)));
    }

    [Fact]
    public void Item28_the_exactly_1000_defect()
    {
        string text = new('y', 1000 - "6.12.9-x,6,1,2,-;".Length - 1);
        byte[] released = Bytes($"6.12.9-x,6,1,2,-;{text}\0");
        Assert.Equal(1000, released.Length);
        Assert.Equal(DatagramDialect.Extended, Dialects.Classify(released, false));
        Assert.True(ExtendedRecord.TryParse(released, out ExtendedRecord record));
        Assert.Equal(FragmentMark.None, record.Fragment);
        Assert.Equal(text, Text(record.EscapedText));

        string noted = "6.12.9-x,6,1,2,-;text\n rack=";
        noted += new string('z', 999 - noted.Length);
        List<(RecordLineKind Kind, string Key, string Value)> lines = Lines(noted);
        Assert.Equal(("rack", new string('z', 999 - "6.12.9-x,6,1,2,-;text\n rack=".Length)), (lines[0].Key, lines[0].Value));
    }

    [Fact]
    public void Recorded_datagrams_are_extended_and_those_of_basic_targets_are_not()
    {
        foreach (string name in (string[])["6.1-ext", "7.3-ext", "7.3-extrel", "7.3-extud"])
            Assert.All(Recording.Datagrams(name), d => Assert.Equal(DatagramDialect.Extended, Dialects.Classify(d, false)));
        foreach (string name in (string[])["6.1-basic", "7.3-basic"])
            Assert.All(Recording.Datagrams(name), d => Assert.Equal(DatagramDialect.Basic, Dialects.Classify(d, false)));
    }

    [Fact]
    public void Escaped_text_comes_back()
    {
        Gen.Byte.Array[0, 300].Sample(text =>
        {
            byte[] escaped = new byte[EscapedText.MaximumEscaped(text.Length)];
            int length = EscapedText.Escape(text, escaped, out int consumed);
            Assert.Equal(text.Length, consumed);
            Assert.Equal(-1, escaped.AsSpan(0, length).IndexOfAnyExceptInRange((byte)0x20, (byte)0x7E));
            byte[] back = new byte[length];
            Assert.Equal(text, back[..EscapedText.Unescape(escaped.AsSpan(0, length), back)]);
        });
    }

    [Fact]
    public void Random_bytes_never_throw()
    {
        string[] heads = ["6,1,2,-;", "6.1-x,6,1,2,c,caller=T1,ncfrag=3/9;", "6,1,2,-,ncfrag=", "4,5,6,-;x\n ", ""];
        Gen<byte[]> near = Gen.Select(
            Gen.Int[0, heads.Length - 1].Select(i => heads[i]), Gen.Byte.Array[0, 80],
            (head, tail) => (byte[])[.. Bytes(head), .. tail]);
        Gen.OneOf(near, Gen.Byte.Array[0, 1200]).Sample(datagram =>
        {
            DatagramDialect dialect = Dialects.Classify(datagram, false);
            Dialects.Classify(datagram, true);
            bool parsed = ExtendedRecord.TryParse(datagram, out ExtendedRecord record);
            if (dialect is not (DatagramDialect.ClassicReply or DatagramDialect.ClassicUnknownVersion))
                Assert.Equal(parsed, dialect == DatagramDialect.Extended);
            if (!parsed) return;
            int total = 0;
            foreach (RecordLine line in record.Lines) total += line.Key.Length + line.Value.Length;
            Assert.InRange(total, 0, datagram.Length);
            byte[] room = new byte[record.EscapedText.Length];
            Assert.InRange(EscapedText.Unescape(record.EscapedText, room), 0, room.Length);
        });
    }
}
