using System.Text;
using CsCheck;
using Netdump.Protocols.Classic;

namespace Netdump.Protocols.Tests.Classic;

public sealed class ClientTests
{
    private static readonly ClassicClientProfile[] All =
        [ClassicClientProfile.A, ClassicClientProfile.B, ClassicClientProfile.C, ClassicClientProfile.D, ClassicClientProfile.Netdump];

    public static TheoryData<ClassicClientProfile> Profiles => new(All);

    [Theory, MemberData(nameof(Profiles))]
    public void Item47_start_is_sent_every_second_until_acknowledged_without_limit(ClassicClientProfile profile)
    {
        ClientLab lab = new(profile);
        lab.Wait(1000.5);
        Assert.Equal(1001, lab.Replies.Count);
        Assert.All(lab.Replies, reply => Assert.Equal(ClassicReplyCode.Start, reply.Header.Code));
        lab.Ask(ClassicCommand.AcknowledgeStart, 5);
        Assert.Equal(ClassicClientPhase.Serving, lab.Session.Phase);
        lab.Wait(10);
        Assert.Equal(1001, lab.Replies.Count);
    }

    [Fact]
    public void Item47_stray_requests_make_start_be_sent_at_once()
    {
        ClientLab lab = new(ClassicClientProfile.B);
        lab.Wait(0.3);
        lab.Ask(ClassicCommand.SendMemory, 0);
        lab.Ask(ClassicCommand.Reboot);
        lab.Ask(ClassicCommand.None);
        Assert.Equal(4, lab.Replies.Count);
        Assert.All(lab.Replies, reply => Assert.Equal(ClassicReplyCode.Start, reply.Header.Code));
        Assert.Empty(lab.Effects);
        lab.Wait(0.9);
        Assert.Equal(4, lab.Replies.Count); // the second runs from the last one
    }

    [Fact]
    public void Item48_requests_shorter_than_24_bytes_are_ignored_and_longer_ones_taken()
    {
        ClientLab lab = new ClientLab(ClassicClientProfile.D).Connect();
        byte[] datagram = new byte[40];
        new ClassicRequest(0, 9, ClassicCommand.Hello, 0, 0).Write(datagram);
        lab.Session.Receive(datagram.AsSpan(0, 23), lab.Now);
        lab.Drain();
        Assert.Empty(lab.Replies);
        lab.Session.Receive(datagram, lab.Now);
        lab.Drain();
        Assert.Equal(9u, Assert.Single(lab.Replies).Header.Number);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(256)]
    [InlineData(0xffffff00)]
    public void Item49_acknowledged_with_0_i386_speaks_version_4_and_others_leave_after_3_seconds(uint from)
    {
        ClientLab lab = new(ClassicClientProfile.C, ClassicMachine.I386);
        lab.Ask(ClassicCommand.AcknowledgeStart, from);
        Assert.Equal(ClassicClientPhase.Serving, lab.Session.Phase);
        Assert.Equal(4, lab.Session.Version);

        foreach (uint machine in new[] { ClassicMachine.X86_64, ClassicMachine.Ia64, ClassicMachine.Ppc64 })
        {
            lab = new ClientLab(ClassicClientProfile.C, machine);
            lab.Ask(ClassicCommand.AcknowledgeStart, from);
            lab.Wait(2.9);
            Assert.Empty(lab.Effects);
            lab.Wait(0.2);
            Assert.Equal(ClassicClientEffectKind.Refused, Assert.Single(lab.Effects).Kind);
            Assert.Equal(ClassicClientPhase.Ended, lab.Session.Phase);
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 4)]
    [InlineData(5, 5)]
    [InlineData(6, 5)]
    [InlineData(255, 5)]
    [InlineData(258, 2)]
    public void Item49_the_version_is_the_lower_of_8_bits_of_from_and_5(uint from, byte version)
    {
        ClientLab lab = new(ClassicClientProfile.D);
        lab.Ask(ClassicCommand.AcknowledgeStart, from);
        Assert.Equal(version, lab.Session.Version);
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Item50_every_reply_echoes_its_number_and_pages_go_out_ascending(ClassicClientProfile profile)
    {
        ClientLab lab = new ClientLab(profile).Connect();
        uint number = 0x80000000;
        foreach (ClassicCommand command in new[]
        {
            ClassicCommand.Hello, ClassicCommand.GetPageSize, ClassicCommand.GetPageCount, ClassicCommand.GetRegisters, ClassicCommand.SendMemory,
            ClassicCommand.ShowState, (ClassicCommand)99,
        })
        {
            lab.Replies.Clear();
            lab.Ask(command, 3, ++number);
            Assert.All(lab.Replies.Where(reply => reply.Header.Code != ClassicReplyCode.Log), reply => Assert.Equal(number, reply.Header.Number));
            if (command == ClassicCommand.SendMemory)
            {
                Assert.Equal([0u, 1024u, 2048u, 3072u], lab.Replies.Select(reply => reply.Header.Info));
                Assert.Equal(ServerLab.PageBytes(3), lab.Replies.SelectMany(reply => reply.Payload));
            }
        }
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Item51_pages_past_the_end_and_holes(ClassicClientProfile profile)
    {
        ClientLab lab = new ClientLab(profile).Connect(); // RAM: 0-9, 20-29
        foreach (uint pfn in new uint[] { 30, 0x12345678, uint.MaxValue })
        {
            lab.Replies.Clear();
            lab.Ask(ClassicCommand.SendMemory, pfn, 5);
            Assert.Equal(new ClassicReplyHeader(lab.Version, 5, ClassicReplyCode.Error, 0), lab.Replies.Single().Header);
            Assert.Equal($"page {pfn:x8} is bigger than max page # 0000001e!\n", lab.Replies.Single().Text);
        }

        lab.Replies.Clear();
        lab.Ask(ClassicCommand.SendMemory, 12, 6);
        if (profile == ClassicClientProfile.A)
        {
            Assert.Equal(4, lab.Replies.Count);
            Assert.All(lab.Replies, reply => Assert.Equal(new byte[1024], reply.Payload));
        }
        else
        {
            Assert.Equal(new ClassicReplyHeader(lab.Version, 6, ClassicReplyCode.Reserved, 20), lab.Replies.Single().Header);
            Assert.Empty(lab.Replies.Single().Payload);
        }
    }

    [Fact]
    public void Item51_a_hole_up_to_the_end_has_no_next_page()
    {
        ClientLab lab = new ClientLab(ClassicClientProfile.D, pageCount: 50).Connect();
        lab.Ask(ClassicCommand.SendMemory, 40);
        Assert.Equal(0u, lab.Replies.Single().Header.Info);
        lab = new ClientLab(ClassicClientProfile.D, pageCount: 15).Connect(); // RAM above the told maximum does not exist
        lab.Ask(ClassicCommand.SendMemory, 12);
        Assert.Equal(0u, lab.Replies.Single().Header.Info);
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Item52_hello_is_the_same_whatever_was_negotiated(ClassicClientProfile profile)
    {
        ClientLab lab = new ClientLab(profile).Connect();
        lab.Ask(ClassicCommand.Hello, number: 8);
        Assert.Equal(4u, lab.Replies.Single().Header.Info);
        Assert.Equal("Hello, this is netdump version 0.04\n", lab.Replies.Single().Text);
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Item53_version_byte_of_each_profile(ClassicClientProfile profile)
    {
        ClientLab lab = new(profile);
        Assert.Equal(4, lab.Replies.Single().Header.Version);
        lab.Connect();
        lab.Ask(ClassicCommand.Hello);
        lab.Ask(ClassicCommand.SendMemory, 1);
        byte expected = profile is ClassicClientProfile.A or ClassicClientProfile.B ? (byte)4 : (byte)5;
        Assert.All(lab.Replies, reply => Assert.Equal(expected, reply.Header.Version));
        lab.Replies.Clear();
        lab.Ask(ClassicCommand.ShowState);
        Assert.All(lab.Replies.Where(r => r.Header.Code == ClassicReplyCode.Log), reply => Assert.Equal(4, reply.Header.Version));
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Item54_log_has_number_0_a_running_offset_and_pieces_of_the_profile(ClassicClientProfile profile)
    {
        ClientLab lab = new ClientLab(profile) { State = [new string('x', 3000) + "\n", "short\n"] }.Connect();
        lab.Ask(ClassicCommand.ShowState, number: 4);
        List<ClientLab.Reply> log = [.. lab.Replies.Where(reply => reply.Header.Code == ClassicReplyCode.Log)];
        int piece = profile is ClassicClientProfile.A or ClassicClientProfile.B ? 1447 : 1000;
        Assert.Equal(piece, log[0].Payload.Length);
        uint offset = 0;
        foreach (ClientLab.Reply reply in log)
        {
            Assert.Equal(0u, reply.Header.Number);
            Assert.Equal(offset, reply.Header.Info);
            offset += (uint)reply.Payload.Length;
        }

        Assert.Equal(string.Concat(lab.State), string.Concat(log.Select(reply => reply.Text)));
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Item55_no_log_during_the_dump_but_inside_show_state(ClassicClientProfile profile)
    {
        ClientLab lab = new(profile);
        byte[] buffer = new byte[2000];
        Assert.Equal(0, lab.Session.WriteLog(buffer, "in the handshake\n"u8, out int consumed));
        Assert.Equal(17, consumed);
        lab.Connect();
        int length = lab.Session.WriteLog(buffer, "connected\n"u8, out _);
        if (profile == ClassicClientProfile.Netdump)
            Assert.Equal(23, length); // ours: the dead kernel's log goes first
        else
            Assert.Equal(0, length);
        lab.Ask(ClassicCommand.ShowState);
        Assert.Contains(lab.Replies, reply => reply.Text == "state\n");
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Show_state_is_answered_before_or_behind_its_lines(ClassicClientProfile profile)
    {
        ClientLab lab = new ClientLab(profile).Connect();
        lab.Ask(ClassicCommand.GetRegisters);
        lab.Replies.Clear();
        lab.Ask(ClassicCommand.ShowState, number: 4);
        ClassicReplyCode[] expected = profile is ClassicClientProfile.B or ClassicClientProfile.C
            ? [ClassicReplyCode.ShowState, ClassicReplyCode.Log] : [ClassicReplyCode.Log, ClassicReplyCode.ShowState];
        Assert.Equal(expected, lab.Replies.Select(reply => reply.Header.Code));
        string stale = profile == ClassicClientProfile.Netdump ? "" : "Sending register info.\n"; // what an earlier reply left
        Assert.Equal(stale, lab.Replies.Single(reply => reply.Header.Code == ClassicReplyCode.ShowState).Text);
    }

    [Fact]
    public void Originals_discard_requests_while_they_print_their_state()
    {
        foreach (ClassicClientProfile profile in All)
        {
            ClientLab lab = new ClientLab(profile) { CompletesState = false }.Connect();
            lab.Ask(ClassicCommand.ShowState);
            lab.Replies.Clear();
            lab.Ask(ClassicCommand.Hello);
            Assert.Equal(profile == ClassicClientProfile.Netdump ? 1 : 0, lab.Replies.Count);
            lab.Session.CompleteState();
            lab.Ask(ClassicCommand.Hello);
            Assert.Contains(lab.Replies, reply => reply.Header.Code == ClassicReplyCode.Hello);
        }
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Item56_reboot_is_not_answered_and_acts_after_3_seconds(ClassicClientProfile profile)
    {
        ClientLab lab = new ClientLab(profile).Connect();
        lab.Ask(ClassicCommand.Reboot);
        lab.Wait(1);
        lab.Ask(ClassicCommand.Reboot); // repeated: no second delay
        lab.Wait(1.9);
        Assert.Empty(lab.Effects);
        lab.Wait(0.2);
        Assert.Equal(ClassicClientEffectKind.Reboot, Assert.Single(lab.Effects).Kind);
        Assert.Empty(lab.Replies);
        lab.Ask(ClassicCommand.Hello);
        Assert.Empty(lab.Replies);
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Item56_exit_is_answered_with_end_netdump(ClassicClientProfile profile)
    {
        ClientLab lab = new ClientLab(profile).Connect();
        lab.Ask(ClassicCommand.Exit, number: 12);
        Assert.Equal(new ClassicReplyHeader(lab.Version, 0, ClassicReplyCode.End, 0), lab.Replies.Single().Header);
        Assert.Equal("NETDUMP end.\n", lab.Replies.Single().Text);
        Assert.Equal(ClassicClientEffectKind.Exit, Assert.Single(lab.Effects).Kind);
        lab.Ask(ClassicCommand.Hello);
        lab.Wait(60);
        Assert.Single(lab.Replies);
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Item57_none_is_not_answered_and_unknown_commands_are_errors(ClassicClientProfile profile)
    {
        ClientLab lab = new ClientLab(profile).Connect();
        lab.Ask(ClassicCommand.None);
        Assert.Empty(lab.Replies);
        foreach (uint command in new uint[] { 7, 10, 64, 65, 66, uint.MaxValue })
        {
            lab.Replies.Clear();
            lab.Ask((ClassicCommand)command, 5, number: 3);
            Assert.Equal(new ClassicReplyHeader(lab.Version, 3, ClassicReplyCode.Error, command), lab.Replies.Single().Header);
            Assert.Equal($"Got unknown command code {(int)command}!\n", lab.Replies.Single().Text);
        }
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Item59_magic_is_not_needed_unless_strict(ClassicClientProfile profile)
    {
        ClientLab lab = new ClientLab(profile).Connect();
        lab.Ask(ClassicCommand.Hello, magic: 666);
        Assert.Single(lab.Replies);

        lab = new ClientLab(profile, strictMagic: true);
        lab.Ask(ClassicCommand.AcknowledgeStart, 5, magic: 666);
        Assert.Equal(ClassicClientPhase.Handshake, lab.Session.Phase);
        lab.Ask(ClassicCommand.Hello, magic: 666);
        Assert.Single(lab.Replies); // the first START and no other
        lab.Ask(ClassicCommand.AcknowledgeStart, 5);
        Assert.Equal(ClassicClientPhase.Serving, lab.Session.Phase);
    }

    [Theory, MemberData(nameof(Profiles))]
    public void Facts_of_the_machine_are_told_as_the_profile_does(ClassicClientProfile profile)
    {
        ClientLab lab = new ClientLab(profile).Connect();
        lab.Ask(ClassicCommand.GetPageSize);
        lab.Ask(ClassicCommand.GetPageCount);
        lab.Ask(ClassicCommand.GetRegisters);
        Assert.Equal("PAGE_SIZE: 4096\n", lab.Replies[0].Text);
        Assert.Equal(4096u, lab.Replies[0].Header.Info);
        Assert.Equal("Number of pages: 30\n", lab.Replies[1].Text);
        Assert.Equal(30u, lab.Replies[1].Header.Info);
        Assert.Equal(profile == ClassicClientProfile.A ? 30u : 20u, lab.Replies[2].Header.Info);
        Assert.Equal([.. "Sending register info.\n"u8, .. lab.Registers], lab.Replies[2].Payload);
    }

    [Fact]
    public void Ours_begins_the_handshake_again_after_15_seconds_without_a_request()
    {
        ClientLab lab = new ClientLab(ClassicClientProfile.Netdump).Connect();
        lab.Wait(10);
        lab.Ask(ClassicCommand.None); // a sign of life counts
        lab.Wait(14.9);
        Assert.Empty(lab.Replies);
        lab.Wait(2);
        Assert.Equal(2, lab.Replies.Count(reply => reply.Header.Code == ClassicReplyCode.Start));
        lab.Ask(ClassicCommand.SendMemory, 1);
        Assert.Equal(3, lab.Replies.Count); // a stray request: START at once
        lab.Ask(ClassicCommand.AcknowledgeStart, 5, to: 1);
        lab.Ask(ClassicCommand.SendMemory, 1);
        Assert.Equal(ClassicReplyCode.Memory, lab.Replies[^1].Header.Code);

        foreach (ClassicClientProfile profile in All[..4])
        {
            lab = new ClientLab(profile).Connect();
            lab.Wait(1000);
            Assert.Empty(lab.Replies); // originals wait for ever
        }
    }

    /// <summary>Tens of thousands of tasks take longer than that, and a server that hears them asks for nothing.</summary>
    [Fact]
    public void Ours_does_not_begin_the_handshake_again_while_it_tells_its_state_and_answers_behind_it()
    {
        ClientLab lab = new ClientLab(ClassicClientProfile.Netdump) { CompletesState = false }.Connect();
        lab.Ask(ClassicCommand.ShowState, number: 77);
        lab.Wait(100);
        Assert.DoesNotContain(lab.Replies, reply => reply.Header.Code == ClassicReplyCode.Start);
        lab.Session.CompleteState();
        lab.Ask(ClassicCommand.None);
        Assert.Equal(77u, lab.Replies.Single(reply => reply.Header.Code == ClassicReplyCode.ShowState).Header.Number);
        lab.Wait(16); // nobody took it: the server may be gone
        Assert.Contains(lab.Replies, reply => reply.Header.Code == ClassicReplyCode.Start);
    }

    [Fact]
    public void Header_and_bitmap_are_answered_only_to_a_server_that_accepted_the_extension()
    {
        ClientLab lab = new ClientLab(ClassicClientProfile.Netdump).Connect(extension: true);
        Assert.True(lab.Session.Extension);
        lab.Ask(ClassicCommand.GetHeader, 1, number: 9);
        Assert.Equal(new ClassicReplyHeader(5, 9, ClassicReplyCode.Memory, 1024), lab.Replies.Single().Header);
        Assert.Equal(lab.Header.AsSpan(1024, 1024).ToArray(), lab.Replies.Single().Payload);
        foreach (uint chunk in new uint[] { 4, 5, 0x400000, uint.MaxValue })
        {
            lab.Replies.Clear();
            lab.Ask(ClassicCommand.GetHeader, chunk, number: 10);
            Assert.Equal(new ClassicReplyHeader(5, 10, ClassicReplyCode.Error, 0), lab.Replies.Single().Header);
        }

        lab.Replies.Clear();
        lab.Ask(ClassicCommand.GetBitmap, 0, number: 11);
        Assert.Equal(new ClassicReplyHeader(5, 11, ClassicReplyCode.Memory, 0), lab.Replies.Single().Header);
        Assert.Equal(new byte[1024], lab.Replies.Single().Payload);
        lab.Replies.Clear();
        lab.Ask(ClassicCommand.GetBitmap, 1, number: 12);
        Assert.Equal(new ClassicReplyHeader(5, 12, ClassicReplyCode.Error, 0), lab.Replies.Single().Header);

        foreach (ClassicClientProfile profile in All[..4])
            Assert.False(new ClientLab(profile).Connect(extension: true).Session.Extension);
    }

    [Fact]
    public void A_page_that_cannot_be_read_is_an_error_the_server_understands()
    {
        ClientLab lab = new ClientLab(ClassicClientProfile.Netdump) { UnreadablePage = 5 }.Connect();
        lab.Ask(ClassicCommand.SendMemory, 5, number: 9);
        Assert.Equal(new ClassicReplyHeader(5, 9, ClassicReplyCode.Error, 0), lab.Replies.Single().Header);
    }

    [Fact]
    public void Random_requests_never_throw_and_pending_work_is_bounded() =>
        Gen.Select(Gen.OneOf(Gen.UInt[0, 10], Gen.UInt[64, 65], Gen.UInt), Gen.OneOf(Gen.UInt[0, 40], Gen.UInt), Gen.UInt, Gen.Byte).Array[0, 100].Sample(requests =>
        {
            ClientLab lab = new(All[requests.Length % 5]);
            foreach ((uint command, uint from, uint to, byte wait) in requests)
            {
                lab.Ask((ClassicCommand)command, from, 3, to);
                lab.Wait(wait / 100.0);
            }
        });

    [Fact]
    public void Work_that_nobody_takes_is_dropped_beyond_the_bound()
    {
        ClientLab lab = new ClientLab(ClassicClientProfile.D).Connect();
        byte[] datagram = new byte[24];
        for (uint i = 0; i < 3000; i++)
        {
            new ClassicRequest(0, i, i % 2 == 0 ? ClassicCommand.Hello : ClassicCommand.SendMemory, 0, 0).Write(datagram);
            lab.Session.Receive(datagram, lab.Now);
        }

        lab.Drain();
        Assert.Equal(ClassicClientSession.MaximumPending, lab.Replies.Count(reply => reply.Header.Code == ClassicReplyCode.Hello));
        Assert.Equal(ClassicClientSession.MaximumPending * 4, lab.Replies.Count(reply => reply.Header.Code == ClassicReplyCode.Memory));
    }

    [Fact]
    public void Impossible_machines_are_refused()
    {
        ClassicMemoryMap map = new([(0, 10)]);
        Assert.Throws<ArgumentException>(() => new ClassicClientSession(new ClassicClientOptions { Memory = map, PageSize = 3000 }, default));
        Assert.Throws<ArgumentException>(() => new ClassicClientSession(new ClassicClientOptions { Memory = map, PageSize = 1 << 17 }, default));
        Assert.Throws<ArgumentException>(() => new ClassicClientSession(new ClassicClientOptions { Memory = map, HeaderLength = 1000 }, default));
        Assert.Throws<ArgumentException>(() => new ClassicClientSession(new ClassicClientOptions { Memory = map, Registers = new byte[1025] }, default));
    }

    [Fact]
    public void Memory_map_merges_ranges_and_finds_the_next_page() =>
        Gen.Select(Gen.ULong[0, 80], Gen.ULong[0, 20]).Array[0, 12].Sample(ranges =>
        {
            ClassicMemoryMap map = new(ranges.Select(range => (range.Item1, range.Item1 + range.Item2)));
            bool[] ram = new bool[200];
            foreach ((ulong first, ulong count) in ranges)
                ram.AsSpan((int)first, (int)count).Fill(true);
            bool right = map.RamPages == (ulong)ram.Count(page => page) && map.PageCount == Array.LastIndexOf(ram, true) + 1;
            for (uint pfn = 0; pfn < 150; pfn++)
                right &= map.IsRam(pfn) == ram[pfn] && map.NextRam(pfn) == (uint)Math.Max(Array.IndexOf(ram, true, (int)pfn + 1), 0);
            return right;
        });

    [Fact]
    public void Memory_map_ends_where_32_bits_do()
    {
        ClassicMemoryMap map = new([(0xfffffff0, 0x2_0000_0000), (0x1_0000_0000, 0x1_0000_0005)]);
        Assert.Equal(uint.MaxValue, map.PageCount);
        Assert.Equal(15u, map.RamPages);
        Assert.Equal(0u, map.NextRam(uint.MaxValue - 1));
        Assert.False(map.IsRam(uint.MaxValue));
    }

    [Fact]
    public void Texts_of_start_follow_the_profile()
    {
        Assert.Equal("NETDUMP start, waiting for start-ACK.\n", new ClientLab(ClassicClientProfile.A).Replies.Single().Text);
        Assert.Equal("task_struct:0xffff88 page_offset:0xffff8880 netdump_magic:0xabc\n", new ClientLab(ClassicClientProfile.B).Replies.Single().Text);
        ClientLab.Reply ours = new ClientLab(ClassicClientProfile.Netdump).Replies.Single();
        Assert.Equal("task_struct:0xffff88 page_offset:0xffff8880 netdump_magic:0xabc ext:1\n", ours.Text);
        Assert.Equal(new ClassicReplyHeader(4, 62, ClassicReplyCode.Start, 5), ours.Header);
        Assert.Equal(ours.Text, Encoding.ASCII.GetString(ours.Payload));
    }
}
