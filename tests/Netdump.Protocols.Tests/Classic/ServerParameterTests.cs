using Netdump.Protocols.Classic;

namespace Netdump.Protocols.Tests.Classic;

public sealed class ServerParameterTests
{
    [Fact]
    public void Parameters_are_asked_one_by_one()
    {
        ServerLab lab = new ServerLab().Prepare(1234);
        Assert.Equal(
            [ClassicCommand.AcknowledgeStart, ClassicCommand.Hello, ClassicCommand.GetPageSize, ClassicCommand.GetPageCount, ClassicCommand.GetRegisters],
            lab.Sent.Select(request => request.Command));
        Assert.Equal(1234ul, lab.Session.PageCount);
        Assert.Equal(7u, lab.Session.RamPages);
        Assert.Equal([ClassicServerEffectKind.Prepared], lab.Kinds);
    }

    [Theory]
    [InlineData(1024)]
    [InlineData(4096)]
    [InlineData(16384)]
    [InlineData(65536)]
    public void Item15_page_size_comes_from_info_not_from_the_text(uint size)
    {
        ServerLab lab = new();
        lab.AnswerHello();
        lab.Reply(ClassicReplyCode.PageSize, lab.Last.Number, size, "PAGE_SIZE: 8192\n");
        Assert.Equal(size, lab.Session.PageSize);
        Assert.Equal(ClassicCommand.GetPageCount, lab.Last.Command);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(512)]
    [InlineData(1000)]
    [InlineData(3072)]
    [InlineData(12288)]
    [InlineData(131072)]
    [InlineData(0x80000000)]
    [InlineData(uint.MaxValue)]
    public void Item15_impossible_page_sizes_are_refused(uint size)
    {
        ServerLab lab = new();
        lab.AnswerHello();
        lab.AnswerPageSize(size);
        Assert.Equal(ClassicRefusal.BadPageSize, lab.Session.Refusal);
        Assert.Equal(ClassicCommand.ShowState, lab.Last.Command);
    }

    [Fact]
    public void Item16_page_counts_are_32_bit_unsigned_and_sizes_64_bit()
    {
        ServerLab lab = new ServerLab().Prepare(uint.MaxValue, 65536);
        Assert.Equal(0xffff_ffff_0000ul, lab.Session.PageCount * lab.Session.PageSize);
    }

    [Fact]
    public void Item16_a_page_count_of_0_or_above_the_limit_is_refused()
    {
        foreach (uint count in new uint[] { 0, 101 })
        {
            ServerLab lab = new(options: new ClassicServerOptions { MaximumPageCount = 100 });
            lab.AnswerHello();
            lab.AnswerPageSize();
            lab.AnswerPageCount(count);
            Assert.Equal(ClassicRefusal.BadPageCount, lab.Session.Refusal);
            Assert.Equal(ClassicServerPhase.State, lab.Session.Phase);
        }
    }

    [Theory]
    [InlineData(ClassicMachine.I386, 68)]
    [InlineData(ClassicMachine.X86_64, 216)]
    [InlineData(ClassicMachine.Ppc64, 384)]
    [InlineData(ClassicMachine.Ia64, 400)]
    [InlineData(ClassicMachine.Ia64, 448)]
    public void Item23_registers_start_behind_23_bytes_of_text(uint machine, int bytes)
    {
        ServerLab lab = new(ServerLab.X86 with { Machine = machine });
        lab.AnswerHello();
        lab.AnswerPageSize();
        lab.AnswerPageCount(5);
        lab.AnswerRegisters(bytes);
        Assert.Equal(Enumerable.Range(0, bytes).Select(i => (byte)(i * 7)), lab.Session.Registers.ToArray());
        Assert.Equal(0, lab.Session.RefusedRegisterBytes);
    }

    [Theory]
    [InlineData(ClassicMachine.I386, 216)]
    [InlineData(ClassicMachine.X86_64, 68)]
    [InlineData(ClassicMachine.X86_64, 217)]
    [InlineData(ClassicMachine.Ia64, 384)]
    [InlineData(ClassicMachine.Ppc64, 65000)]
    public void Item23_other_sizes_are_reported_and_the_dump_goes_on_without(uint machine, int bytes)
    {
        ServerLab lab = new(ServerLab.X86 with { Machine = machine });
        lab.AnswerHello();
        lab.AnswerPageSize();
        lab.AnswerPageCount(5);
        lab.AnswerRegisters(bytes);
        Assert.True(lab.Session.Registers.IsEmpty);
        Assert.Equal(bytes, lab.Session.RefusedRegisterBytes);
        Assert.Equal(ClassicServerPhase.Prepared, lab.Session.Phase);
    }

    [Fact]
    public void Item23_a_truncated_register_reply_is_no_registers()
    {
        ServerLab lab = new();
        lab.AnswerHello();
        lab.AnswerPageSize();
        lab.AnswerPageCount(5);
        lab.Reply(ClassicReplyCode.Registers, lab.Last.Number, 3, "Sending");
        Assert.True(lab.Session.Registers.IsEmpty);
        Assert.Equal(ClassicServerPhase.Prepared, lab.Session.Phase);
    }

    [Fact]
    public void Item45_registers_of_a_big_endian_client_are_kept_byte_for_byte()
    {
        ServerLab lab = new(ServerLab.X86 with { Machine = ClassicMachine.Ppc64 });
        lab.AnswerHello();
        lab.AnswerPageSize();
        lab.AnswerPageCount(5);
        byte[] registers = [.. Enumerable.Range(0, 48).SelectMany(i => new byte[] { 0xc0, 0, 0, 0, 0, 0, 0, (byte)i })];
        lab.Reply(ClassicReplyCode.Registers, lab.Last.Number, 3, [.. ClassicText.Registers, .. registers]);
        Assert.Equal(registers, lab.Session.Registers.ToArray());
        Assert.True(ClassicMachine.IsBigEndian(lab.Session.Machine));
        Assert.False(ClassicMachine.IsBigEndian(ClassicMachine.X86_64));
        Assert.False(ClassicMachine.IsBigEndian(ClassicMachine.Ia64));
    }

    [Fact]
    public void An_error_skips_what_is_optional_and_refuses_what_is_not()
    {
        ServerLab lab = new();
        lab.Reply(ClassicReplyCode.Error, lab.LastOf(ClassicCommand.Hello).Number, 4);
        Assert.Equal(ClassicCommand.GetPageSize, lab.Last.Command);
        lab.AnswerPageSize();
        lab.AnswerPageCount(5);
        lab.Reply(ClassicReplyCode.Error, lab.Last.Number, 8);
        Assert.Equal(ClassicServerPhase.Prepared, lab.Session.Phase);

        lab = new ServerLab();
        lab.AnswerHello();
        lab.Reply(ClassicReplyCode.Error, lab.Last.Number, 6);
        Assert.Equal(ClassicRefusal.BadPageSize, lab.Session.Refusal);
    }

    [Fact]
    public void An_answer_of_another_kind_or_to_another_number_counts_for_nothing()
    {
        ServerLab lab = new();
        uint number = lab.Last.Number;
        lab.Reply(ClassicReplyCode.PageSize, number, 4096);
        lab.Reply(ClassicReplyCode.Memory, number, 0, new byte[1024]);
        Assert.Equal(2, lab.Session.Counters.Invalid);
        lab.Reply(ClassicReplyCode.Hello, number + 1, 4);
        lab.Reply(ClassicReplyCode.Hello, number + 1024, 4); // same place in the ring
        Assert.Equal(2, lab.Session.Counters.Stale);
        Assert.Equal(ClassicServerPhase.Handshake, lab.Session.Phase);
        lab.AnswerHello();
        lab.Reply(ClassicReplyCode.Hello, number, 4); // a duplicate
        Assert.Equal(3, lab.Session.Counters.Stale);
    }

    [Fact]
    public void While_files_are_made_a_sign_of_life_goes_out_and_nobody_gives_up()
    {
        ServerLab lab = new ServerLab().Prepare(5);
        lab.Wait(121);
        Assert.Equal(24, lab.CountOf(ClassicCommand.None));
        Assert.Equal(ClassicServerPhase.Prepared, lab.Session.Phase);
        lab.Session.BeginMemory(lab.Now);
        lab.Drain();
        lab.Wait(1);
        Assert.Equal(ClassicServerPhase.Memory, lab.Session.Phase);
    }

    [Fact]
    public void Just_reboot_takes_log_and_state_only()
    {
        ServerLab lab = new(options: new ClassicServerOptions { JustReboot = true });
        Assert.Equal(ClassicRefusal.JustReboot, lab.Session.Refusal);
        lab.AnswerHello();
        Assert.Equal(ClassicCommand.ShowState, lab.Last.Command);
        lab.Reply(ClassicReplyCode.ShowState, lab.Last.Number, 0);
        lab.Wait(3);
        lab.Session.Finish(lab.Now);
        lab.Wait(10);
        Assert.Equal([ClassicServerEffectKind.StateComplete, ClassicServerEffectKind.Ended], lab.Kinds);
        Assert.Equal(ClassicEndReason.Finished, lab.Session.EndReason);
    }

    [Fact]
    public void Header_area_of_our_client_is_taken_up_to_the_first_error()
    {
        ServerLab lab = new(ServerLab.X86 with { Extension = true });
        lab.AnswerHello();
        lab.AnswerPageSize();
        lab.AnswerPageCount(5);
        lab.AnswerRegisters();
        List<byte> expected = [];
        const uint Chunks = 21; // more than the first buffer takes
        Queue<ClassicRequest> open = new();
        int taken = lab.Sent.FindIndex(request => request.Command == ClassicCommand.GetHeader);
        for (uint i = 0; i < Chunks; i++)
            expected.AddRange(ServerLab.Chunk(i, 0));
        for (; taken < lab.Sent.Count; taken++)
        {
            ClassicRequest request = lab.Sent[taken];
            if (request.Command != ClassicCommand.GetHeader)
                continue;
            Assert.InRange(lab.Session.InFlight, 1, 8);
            if (request.From < Chunks)
            {
                lab.Reply(ClassicReplyCode.Memory, request.Number, (request.From * 1024) + 1024, ServerLab.Chunk(request.From, 0)); // wrong offset: nothing
                lab.Reply(ClassicReplyCode.Memory, request.Number, request.From * 1024, ServerLab.Chunk(request.From, 0));
            }
            else
                lab.Reply(ClassicReplyCode.Error, request.Number, 0, "no such chunk\n");
        }

        Assert.Equal(ClassicServerPhase.Prepared, lab.Session.Phase);
        Assert.Equal(expected, lab.Session.Header.ToArray());
        Assert.Equal(Chunks, lab.Session.Counters.Invalid);
    }

    [Fact]
    public void A_header_area_above_the_limit_is_refused()
    {
        ServerLab lab = new(ServerLab.X86 with { Extension = true }, new ClassicServerOptions { MaximumHeaderLength = 4096 });
        lab.AnswerHello();
        lab.AnswerPageSize();
        lab.AnswerPageCount(5);
        lab.AnswerRegisters();
        for (uint chunk = 0; chunk < 5; chunk++)
            lab.Reply(ClassicReplyCode.Memory, lab.Sent.First(r => r.Command == ClassicCommand.GetHeader && r.From == chunk).Number, chunk * 1024, new byte[1024]);
        Assert.Equal(ClassicRefusal.HeaderTooLong, lab.Session.Refusal);
        Assert.Equal(ClassicServerPhase.State, lab.Session.Phase);
        Assert.True(lab.Session.Header.IsEmpty);
    }
}
