using System.Text;
using CsCheck;
using Netdump.Protocols.Classic;

namespace Netdump.Protocols.Tests.Classic;

public sealed class MessageTests
{
    private static readonly Gen<ClassicRequest> AnyRequest =
        Gen.Select(Gen.ULong, Gen.UInt, Gen.UInt, Gen.UInt, Gen.UInt, (magic, number, command, from, to) =>
            new ClassicRequest(magic, number, (ClassicCommand)command, from, to));

    private static readonly Gen<ClassicReplyHeader> AnyReply =
        Gen.Select(Gen.Byte, Gen.UInt, Gen.UInt, Gen.UInt, (version, number, code, info) =>
            new ClassicReplyHeader(version, number, (ClassicReplyCode)code, info));

    [Fact]
    public void Item4_request_is_24_bytes_big_endian_with_fields_at_0_8_12_16_20()
    {
        byte[] bytes = new byte[24];
        new ClassicRequest(0x0102030405060708, 0x11121314, ClassicCommand.SendMemory, 0x21222324, 0x31323334).Write(bytes);
        Assert.Equal("0102030405060708" + "11121314" + "00000001" + "21222324" + "31323334", Convert.ToHexString(bytes));
        Assert.Equal(24, ClassicRequest.Size);
    }

    [Fact]
    public void Item7_reply_header_is_13_bytes_big_endian_and_shorter_datagrams_are_refused()
    {
        byte[] bytes = new byte[13];
        new ClassicReplyHeader(5, 0x11121314, ClassicReplyCode.Reserved, 0x21222324).Write(bytes);
        Assert.Equal("05" + "11121314" + "00000004" + "21222324", Convert.ToHexString(bytes));
        for (int length = 0; length < 13; length++)
            Assert.False(ClassicReplyHeader.TryRead(bytes.AsSpan(0, length), out _));
        Assert.True(ClassicReplyHeader.TryRead(bytes, out ClassicReplyHeader header));
        Assert.Equal(new ClassicReplyHeader(5, 0x11121314, ClassicReplyCode.Reserved, 0x21222324), header);
    }

    [Fact]
    public void Codes_have_the_numbers_of_the_original()
    {
        Assert.Equal("None,SendMemory,Exit,Reboot,Hello,GetPageCount,GetPageSize,AcknowledgeStart,GetRegisters,ShowState",
            string.Join(',', Enumerable.Range(0, 10).Select(i => (ClassicCommand)i)));
        Assert.Equal("None,Error,Log,Memory,Reserved,Hello,PageCount,PageSize,Start,End,Registers,Magic,ShowState",
            string.Join(',', Enumerable.Range(0, 13).Select(i => (ClassicReplyCode)i)));
        Assert.Equal(64u, (uint)ClassicCommand.GetHeader);
        Assert.Equal(65u, (uint)ClassicCommand.GetBitmap);
    }

    [Fact]
    public void Requests_survive_a_round_trip() => AnyRequest.Sample(request =>
    {
        byte[] bytes = new byte[30]; // extra bytes are ignored
        request.Write(bytes);
        return ClassicRequest.TryRead(bytes, out ClassicRequest read) && read == request
            && !ClassicRequest.TryRead(bytes.AsSpan(0, 23), out _);
    });

    [Fact]
    public void Reply_headers_survive_a_round_trip() => AnyReply.Sample(header =>
    {
        byte[] bytes = new byte[20];
        header.Write(bytes);
        return ClassicReplyHeader.TryRead(bytes, out ClassicReplyHeader read) && read == header;
    });

    [Fact]
    public void Writers_refuse_a_short_destination()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new ClassicRequest().Write(new byte[23]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ClassicReplyHeader().Write(new byte[12]));
        Assert.Throws<ArgumentException>(() => new ClassicStart(62, 5, 1, 2, 3, true).WritePayload(new byte[40]));
        Assert.Throws<ArgumentException>(() => ClassicText.WritePageTooBig(new byte[20], 1, 2));
    }

    [Fact]
    public void Item14_start_text_carries_unpadded_hex_up_to_64_bits()
    {
        ClassicStart start = Parse(62, 5, "task_struct:0xffff810012345678 page_offset:0x10000000000 netdump_magic:0xfedcba9876543210\n");
        Assert.Equal(new ClassicStart(62, 5, 0xffff810012345678, 0x10000000000, 0xfedcba9876543210, false), start);
        start = Parse(3, 5, "task_struct:0xc0 page_offset:0xc0000000 netdump_magic:0x0\n");
        Assert.Equal(new ClassicStart(3, 5, 0xc0, 0xc0000000, 0, false), start);
    }

    [Theory]
    [InlineData("")]
    [InlineData("task_struct: page_offset:0x netdump_magic:\n")]
    [InlineData("task_struct:0x12345678123456789 page_offset:zz netdump_magic:-1\n")]
    [InlineData("task_struct:0x1g page_offset:0x1,2 netdump_magic:0x1 2\n", 1ul)]
    [InlineData("unknown:0x5 :: netdump_magic:0x7 netdump_magic:0x8 page_offset\n", 7ul)]
    public void Item14_missing_malformed_and_extra_keys_are_tolerated(string text, ulong? magic = null) =>
        Assert.Equal(new ClassicStart(62, 5, 0, 0, magic, false), Parse(62, 5, text));

    [Fact]
    public void Extension_is_only_seen_in_the_new_start()
    {
        Assert.True(Parse(62, 5, "task_struct:0x0 page_offset:0x1 netdump_magic:0x2 ext:1\n").Extension);
        Assert.False(Parse(62, 5, "ext:2\n").Extension);
        Assert.False(Parse(62, 5, "next:1\n").Extension);
        Assert.False(Parse(0, 0, "NETDUMP start, waiting for start-ACK.\n ext:1\n").Extension);
    }

    [Fact]
    public void Old_start_has_the_original_text()
    {
        ClassicStart old = Parse(0, 0, "NETDUMP start, waiting for start-ACK.\n");
        Assert.True(old.IsOld);
        Assert.Equal(ClassicMachine.I386, old.Machine);
        byte[] buffer = new byte[ClassicStart.MaximumPayload];
        Assert.Equal("NETDUMP start, waiting for start-ACK.\n", Encoding.ASCII.GetString(buffer, 0, old.WritePayload(buffer)));
        Assert.Equal(new ClassicReplyHeader(4, 0, ClassicReplyCode.Start, 0), old.Header);
    }

    [Fact]
    public void New_start_survives_a_round_trip() =>
        Gen.Select(Gen.UInt[1, uint.MaxValue], Gen.UInt[1, uint.MaxValue], Gen.ULong, Gen.ULong, Gen.ULong, Gen.Bool).Sample((machine, version, task, offset, magic, extension) =>
        {
            ClassicStart start = new(machine, version, task, offset, magic, extension);
            byte[] buffer = new byte[ClassicStart.MaximumPayload];
            int length = start.WritePayload(buffer);
            string text = Encoding.ASCII.GetString(buffer, 0, length);
            return ClassicStart.TryParse(start.Header, buffer.AsSpan(0, length), out ClassicStart read) && read == start
                && text == $"task_struct:0x{task:x} page_offset:0x{offset:x} netdump_magic:0x{magic:x}{(extension ? " ext:1" : "")}\n";
        });

    [Fact]
    public void Reply_texts_are_those_of_the_original()
    {
        byte[] buffer = new byte[ClassicText.MaximumLength];
        Assert.Equal("Hello, this is netdump version 0.04\n", Encoding.ASCII.GetString(ClassicText.Hello));
        Assert.Equal("NETDUMP end.\n", Encoding.ASCII.GetString(ClassicText.End));
        Assert.Equal("Sending register info.\n", Encoding.ASCII.GetString(ClassicText.Registers));
        Assert.Equal(23, ClassicText.Registers.Length);
        Assert.Equal("[...network console startup...]\n", Encoding.ASCII.GetString(ClassicText.Startup));
        Assert.Equal("Number of pages: 4294967295\n", Encoding.ASCII.GetString(buffer, 0, ClassicText.WritePageCount(buffer, uint.MaxValue)));
        Assert.Equal("PAGE_SIZE: 16384\n", Encoding.ASCII.GetString(buffer, 0, ClassicText.WritePageSize(buffer, 16384)));
        Assert.Equal("page 000abcde is bigger than max page # ffffffff!\n", Encoding.ASCII.GetString(buffer, 0, ClassicText.WritePageTooBig(buffer, 0xabcde, uint.MaxValue)));
        Assert.Equal("Got unknown command code 66!\n", Encoding.ASCII.GetString(buffer, 0, ClassicText.WriteUnknownCommand(buffer, 66)));
        Assert.Equal("Got unknown command code -1!\n", Encoding.ASCII.GetString(buffer, 0, ClassicText.WriteUnknownCommand(buffer, uint.MaxValue)));
    }

    [Fact]
    public void Random_bytes_never_throw() => Gen.Byte.Array[0, 1100].Sample(bytes =>
    {
        _ = ClassicRequest.TryRead(bytes, out _);
        if (ClassicReplyHeader.TryRead(bytes, out ClassicReplyHeader header))
            _ = ClassicStart.TryParse(header with { Code = ClassicReplyCode.Start }, bytes.AsSpan(13), out _);
    });

    [Fact]
    public void Random_start_text_never_throws() =>
        Gen.String[Gen.Char["task_struct:0xnedmpgoicf89 \n\0"], 0, 600].Sample(text =>
            ClassicStart.TryParse(new ClassicReplyHeader(4, 62, ClassicReplyCode.Start, 5), Encoding.ASCII.GetBytes(text), out _));

    private static ClassicStart Parse(uint number, uint info, string text)
    {
        Assert.True(ClassicStart.TryParse(
            new ClassicReplyHeader(4, number, ClassicReplyCode.Start, info), Encoding.ASCII.GetBytes(text), out ClassicStart start));
        return start;
    }
}
