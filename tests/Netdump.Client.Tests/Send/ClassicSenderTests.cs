using System.Net;
using System.Net.Sockets;
using System.Text;
using Netdump.Client.Send;
using Netdump.Protocols.Classic;
using Netdump.Protocols.NetConsole;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Tests;

namespace Netdump.Client.Tests.Send;

public class ClassicSenderTests
{
    private static readonly SendOptions Options = new()
    {
        LocalPort = null,
        RebootDelay = TimeSpan.Zero,
        AcknowledgeLimit = TimeSpan.FromSeconds(20),
        SilenceLimit = TimeSpan.FromSeconds(20),
    };

    [Theory]
    [InlineData(ClassicClientProfile.Netdump)]
    [InlineData(ClassicClientProfile.A)]
    [InlineData(ClassicClientProfile.B)]
    [InlineData(ClassicClientProfile.C)]
    [InlineData(ClassicClientProfile.D)]
    public async Task Proof4_each_profile_gives_our_server_the_same_memory(ClassicClientProfile profile)
    {
        using var dump = new DumpFile();
        using var server = new SessionServer();
        var served = server.Serve();
        var result = Send(dump.Source, server.Address, Options with { Profile = profile });
        Assert.Equal(SendOutcome.Rebooted, result.Outcome);
        Assert.Equal(dump.Source.RamPages, result.PagesSent);
        Assert.Equal(ClassicEndReason.Finished, await served);
        Assert.Equal(dump.Memory(), server.Memory);
        Assert.Empty(server.Unreadable);
        Assert.Equal(profile == ClassicClientProfile.A ? 0 : 64, server.Holes.Count);
        Assert.Equal(profile == ClassicClientProfile.A ? dump.Source.RegistersOfI386() : dump.Source.Registers.ToArray(), server.Registers);
        Assert.Equal(profile == ClassicClientProfile.Netdump ? dump.Bytes[..0x2000] : [], server.Header);
    }

    [Fact]
    public async Task By_default_an_original_server_is_spared_the_zeros_and_its_file_is_the_same()
    {
        using var dump = new DumpFile();
        using var server = new OriginalServer();
        var served = server.Serve();
        var result = Send(dump.Source, server.Address, Options with { DumpLevel = null });
        Assert.Equal((SendOutcome.Rebooted, dump.Source.RamPages), (result.Outcome, result.PagesSent));
        Assert.Equal(dump.Memory(), (await served)[4096..]);
    }

    [Fact]
    public async Task By_default_a_server_of_ours_is_asked_for_level_31_and_told_what_cannot_be_left_out()
    {
        using var dump = new DumpFile(); // its VMCOREINFO has no page structures
        using var server = new SessionServer();
        var served = server.Serve();
        var notes = new List<string>();
        Assert.Equal(SendOutcome.Rebooted, Send(dump.Source, server.Address, Options with { DumpLevel = null, FilterNote = notes.Add }).Outcome);
        await served;
        Assert.Equal(dump.Memory(), server.Memory);
        Assert.Contains("free pages are kept: VMCOREINFO has no SIZE(page)", notes);
        Assert.True(server.Holes.Count > 64, "pages of zeros are spared");
    }

    [Theory]
    [InlineData(ClassicClientProfile.Netdump, 0)]
    [InlineData(ClassicClientProfile.Netdump, 17)]
    [InlineData(ClassicClientProfile.A, 0)]
    [InlineData(ClassicClientProfile.B, 17)]
    [InlineData(ClassicClientProfile.C, 0)]
    [InlineData(ClassicClientProfile.D, 17)]
    public async Task Proof4_the_original_server_gets_the_same_memory(ClassicClientProfile profile, int losesEach)
    {
        using var dump = new DumpFile();
        using var server = new OriginalServer { LosesEach = losesEach };
        var served = server.Serve();
        Assert.Equal(SendOutcome.Rebooted, Send(dump.Source, server.Address, Options with { Profile = profile }).Outcome);
        var file = await served;
        Assert.Equal(dump.Memory(), file[4096..]);
        Assert.Empty(server.Others);
        Assert.Equal(profile == ClassicClientProfile.A ? 0U : 62U, server.Machine);
        if (profile == ClassicClientProfile.A)
            return;
        Assert.Contains("page_offset:0xffff888000000000", server.StartText, StringComparison.Ordinal);
        using var written = SyntheticCore.Open(file);
        Assert.Equal(dump.Source.Registers.ToArray(), written.Processors[0].Registers.ToArray());
        Assert.Equal(PageState.Present, written.Physical.StateOf(0x100));
    }

    [Fact]
    public async Task Our_server_gets_the_dead_kernels_log_as_records_before_the_memory()
    {
        using var dump = new DumpFile(morePages: 400, records: 200);
        using var server = new SessionServer();
        var served = server.Serve();
        Send(dump.Source, server.Address, Options);
        await served;

        var expected = dump.Source.ReadLog().ToList();
        Assert.Equal(200, expected.Count);
        Assert.Equal(expected.Select(r => r.Sequence), server.Records.Select(r => Parse(r).Sequence));
        for (var i = 0; i < expected.Count; i++)
        {
            var (sequence, microseconds, priority, text, lines) = Parse(server.Records[i]);
            Assert.Equal((expected[i].Nanoseconds / 1000, (int)expected[i].Level, Encoding.UTF8.GetString(expected[i].Text.Span)), (microseconds, priority, text));
            Assert.Equal("", lines);
        }
        Assert.InRange(server.RecordsBeforeMemory, 64, 200);
        Assert.Equal("", server.Log.ToString());
    }

    [Fact]
    public async Task Our_server_gets_the_capture_kernels_messages_marked_as_such()
    {
        var messages = new Queue<string>(["6,1,100,-;one\\x0atwo\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:03.0\n", "junk", "12,2,200,-;by netdump\n"]);
        using var dump = new DumpFile(records: 0);
        using var server = new SessionServer();
        var served = server.Serve();
        Send(dump.Source, server.Address, Options with
        {
            CaptureMessages = buffer => messages.TryDequeue(out var next) ? Encoding.ASCII.GetBytes(next, buffer) : 0,
        });
        await served;
        Assert.Equal(
            [(1UL, 6, "one\ntwo", " SUBSYSTEM=pci\n DEVICE=+pci:0000:00:03.0\n NETDUMP=capture\n"), (2UL, 12, "by netdump", " NETDUMP=capture\n")],
            server.Records.Select(r => Parse(r)).Select(r => (r.Sequence, r.Priority, r.Text, r.Lines)));
    }

    [Theory]
    [InlineData(ClassicClientProfile.Netdump)]
    [InlineData(ClassicClientProfile.A)]
    [InlineData(ClassicClientProfile.D)]
    public async Task An_original_server_gets_the_log_as_text_and_no_capture_messages(ClassicClientProfile profile)
    {
        using var dump = new DumpFile(records: 100);
        using var server = new OriginalServer();
        var served = server.Serve();
        var asked = 0;
        Send(dump.Source, server.Address, Options with { Profile = profile, CaptureMessages = _ => asked++ * 0 });
        await served;
        var expected = string.Concat(dump.Source.ReadLog().Select(r => $"[    0.{r.Nanoseconds / 1000:d6}] {Encoding.UTF8.GetString(r.Text.Span)}\n"));
        Assert.Equal(expected, server.Log.ToString());
        Assert.Equal(0, asked);
        Assert.Empty(server.Others);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_state_follows_the_log_and_one_that_breaks_off_costs_a_line_and_not_the_dump(bool breaks)
    {
        using var dump = new DumpFile(records: 10);
        using var server = new OriginalServer();
        var served = server.Serve();
        IEnumerable<string> State()
        {
            for (var i = 0; i < 200; i++)
            {
                if (breaks && i == 100)
                    throw new InvalidOperationException("a wild pointer");
                yield return $"task:{i}\n";
            }
        }
        var result = Send(dump.Source, server.Address, Options with { State = State });
        await served;
        Assert.Equal(SendOutcome.Rebooted, result.Outcome);
        var log = string.Concat(dump.Source.ReadLog().Select(r => $"[    0.{r.Nanoseconds / 1000:d6}] {Encoding.UTF8.GetString(r.Text.Span)}\n"));
        var state = string.Concat(Enumerable.Range(0, breaks ? 100 : 200).Select(i => $"task:{i}\n"));
        Assert.Equal(log + state + (breaks ? "netdump: the list of tasks ends here: a wild pointer\n" : ""), server.Log.ToString());
    }

    [Fact]
    public async Task A_silent_server_is_greeted_again_and_then_given_up()
    {
        using var dump = new DumpFile();
        using var server = new OriginalServer { StopsAfter = 5 };
        var served = server.Serve();
        var result = Send(dump.Source, server.Address, Options with { RestartHandshakeAfter = TimeSpan.FromMilliseconds(300), SilenceLimit = TimeSpan.FromSeconds(6) });
        Assert.Equal(SendOutcome.Silent, result.Outcome);
        Assert.InRange(result.PagesSent, 5UL, 6UL);
        await served;
        Assert.True(server.Starts >= 2);
    }

    [Fact]
    public void Servers_are_tried_in_order_each_once()
    {
        using var dump = new DumpFile();
        using var deaf = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        deaf.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        int closed;
        using (var gone = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp))
        {
            gone.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            closed = ((IPEndPoint)gone.LocalEndPoint!).Port;
        }
        var seen = new List<(string, SendStage, SendOutcome)>();
        var options = Options with { AcknowledgeLimit = TimeSpan.FromMilliseconds(200) };
        var result = new ClassicSender(dump.Source, options, p => seen.Add((p.Target.Name, p.Stage, p.Outcome))).Run(
            [new SendTarget("deaf", (IPEndPoint)deaf.LocalEndPoint!), new SendTarget("closed", new IPEndPoint(IPAddress.Loopback, closed))], TestContext.Current.CancellationToken);
        Assert.Equal(("closed", SendOutcome.PortClosed), (result.Target.Name, result.Outcome));
        Assert.False(result.IsDone);
        Assert.Equal(
        [
            ("deaf", SendStage.Connecting, SendOutcome.None), ("deaf", SendStage.GivenUp, SendOutcome.NoAnswer),
            ("closed", SendStage.Connecting, SendOutcome.None), ("closed", SendStage.GivenUp, SendOutcome.PortClosed),
        ], seen);
    }

    [Fact]
    public async Task A_server_that_speaks_no_version_for_this_machine_refuses()
    {
        using var dump = new DumpFile();
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        server.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var answered = Task.Run(() =>
        {
            EndPoint from = new IPEndPoint(IPAddress.Any, 0);
            server.ReceiveFrom(new byte[2048], ref from);
            var request = new byte[ClassicRequest.Size];
            new ClassicRequest(0, 1, ClassicCommand.AcknowledgeStart, 256, 0).Write(request);
            server.SendTo(request, from);
        });
        Assert.Equal(SendOutcome.Refused, Send(dump.Source, (IPEndPoint)server.LocalEndPoint!, Options).Outcome);
        await answered;
    }

    [Fact]
    public void A_cancelled_dump_ends_soon()
    {
        using var dump = new DumpFile();
        using var server = new OriginalServer();
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        var result = new ClassicSender(dump.Source, Options).Run([new SendTarget("x", server.Address)], stop.Token);
        Assert.Equal(SendOutcome.Cancelled, result.Outcome);
        Assert.InRange(result.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(15)); // uncancelled it ends after 20
    }

    [Fact]
    public void A_local_port_in_use_is_one_clear_error()
    {
        using var dump = new DumpFile();
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        taken.Bind(new IPEndPoint(IPAddress.Any, 0));
        var port = ((IPEndPoint)taken.LocalEndPoint!).Port;
        var error = Assert.Throws<ClientException>(() => Send(dump.Source, new IPEndPoint(IPAddress.Loopback, 9), Options with { LocalPort = port }));
        Assert.Equal($"UDP port {port} is in use; choose another local port", error.Message);
    }

    [Fact]
    public async Task Sending_a_page_allocates_nothing()
    {
        var small = await Allocated(2100);
        var large = await Allocated(4200);
        // Both need both windows. Reports and idle turns of a longer run may cost a little; 2100 pages must not.
        Assert.InRange(large - small, -100_000, 40_000);

        static async Task<long> Allocated(int pages)
        {
            using var dump = new DumpFile(pages, records: 1);
            using var server = new SessionServer();
            var served = server.Serve();
            var before = GC.GetAllocatedBytesForCurrentThread();
            Send(dump.Source, server.Address, Options);
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            await served;
            return allocated;
        }
    }

    [Fact]
    public async Task Proof4_a_real_core_arrives_byte_for_byte()
    {
        using var source = DumpSource.Open(SharedData.FullCore, mapped: true);
        using var server = new SessionServer();
        var served = server.Serve();
        var result = Send(source, server.Address, Options);
        Assert.Equal(ClassicEndReason.Finished, await served);
        Assert.Equal(SendOutcome.Rebooted, result.Outcome);
        Assert.True(source.IsMapped);
        var core = await File.ReadAllBytesAsync(SharedData.FullCore, TestContext.Current.CancellationToken);
        Assert.Equal(core[..server.Header.Length], server.Header);
        foreach (var segment in source.File.Elf!.Segments.Where(s => s.IsMemory))
        {
            var start = segment.Offset - (long)(segment.PhysicalAddress % 4096);
            var length = (int)((segment.MemorySize + 4095) / 4096 * 4096);
            Assert.True(core.AsSpan((int)start, length).SequenceEqual(server.Memory.AsSpan((int)(segment.PhysicalAddress / 4096 * 4096), length)));
        }
        Assert.Equal(source.ReadLog().Select(r => r.Sequence), server.Records.Select(r => Parse(r).Sequence).Distinct());
        Assert.Equal(source.Registers.ToArray(), server.Registers);
    }

    private static SendResult Send(DumpSource source, IPEndPoint server, SendOptions options) =>
        new ClassicSender(source, options).Run([new SendTarget("server", server)], TestContext.Current.CancellationToken);

    private static (ulong Sequence, ulong Microseconds, int Priority, string Text, string Lines) Parse(byte[] datagram)
    {
        Assert.True(ExtendedRecord.TryParse(datagram, out var record));
        var text = new byte[record.EscapedText.Length];
        var length = EscapedText.Unescape(record.EscapedText, text);
        return (record.Sequence, record.Microseconds, record.Priority, Encoding.UTF8.GetString(text, 0, length), Encoding.UTF8.GetString(record.Lines.Bytes));
    }
}
