using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Netdump.Client.Send;
using Netdump.Client.Send.Secure;
using Netdump.Protocols.Keys;
using Netdump.Protocols.NetConsole;
using Netdump.Protocols.Upload;
using Netdump.Vmcore;
using Netdump.Vmcore.Filter;
using Netdump.Vmcore.Kdump;
using Netdump.Vmcore.Output;
using Netdump.Vmcore.Tests;

namespace Netdump.Client.Tests.Send;

public sealed class SecureSenderTests : IDisposable
{
    private const int Block = 64 << 10;
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _certificate;
    private readonly UploadServer _server = new();
    private readonly List<string> _notes = [];
    private readonly List<SendProgress> _seen = [];

    public SecureSenderTests() => _certificate = HostCertificate.OfOwnKey(_key, "client");

    private SecureOptions Options => new()
    {
        Certificate = _certificate,
        Announcement = new CrashAnnouncement { Id = Guid.Parse("00112233-4455-6677-8899-aabbccddeeff") },
        BlockSize = Block,
        DumpLevel = 0,
        Threads = 2,
        ReachLimit = TimeSpan.FromSeconds(1),
        SilenceLimit = TimeSpan.FromSeconds(20),
        StallLimit = TimeSpan.FromSeconds(20),
        ProgressInterval = TimeSpan.FromMilliseconds(20),
        Note = note =>
        {
            lock (_notes) _notes.Add(note);
        },
    };

    [Fact]
    public void ADumpArrivesAsFilterWritesItWithLogAndTasksBeforeIt()
    {
        using DumpFile dump = new(morePages: 600, records: 50);
        SendResult result = Send(dump.Source.File, Options with
        {
            DumpLevel = 31,
            State = () => ["task one\n", "task two\n"],
            Notes = () => new Dictionary<string, string> { ["pages"] = "7" },
        });
        Assert.Equal((SendOutcome.Stored, null, "host-1"), (result.Outcome, result.Reason, result.Crash));
        Assert.Equal(Expected(dump.Source.File, 31), Stored());
        Assert.Equal(["POST crashes", "PUT log", "PUT tasks", "POST vmcore", .. Enumerable.Repeat("PATCH vmcore", (int)(_server.Last.Vmcore!.Length / Block) + 1), "POST done"],
            _server.Requests.Select(r => $"{r.Method} {r.Path.Split('/')[^1]}"));
        Assert.Equal("task one\ntask two\n", Encoding.UTF8.GetString(_server.Last.Tasks!));
        CrashAnnouncement said = Assert.Single(_server.Announcements);
        Assert.Equal((31, dump.Source.RamPages * 4096, 0UL), (said.DumpLevel, said.MemoryBytes, said.VmcoreBytes));
        Assert.StartsWith("netdump ", said.Program, StringComparison.Ordinal);
        Assert.Equal("7", _server.Done!.Notes!["pages"]);
        Assert.Null(_server.Last.Length);
        Assert.Equal(KeyFingerprint.Of(_key), Assert.Single(_server.Clients));
        Assert.Contains("free pages are kept: VMCOREINFO has no SIZE(page)", _notes);

        // The log: the records of the dump, each one line and nothing else.
        string[] lines = Encoding.UTF8.GetString(_server.Last.Log!).TrimEnd('\n').Split('\n');
        Assert.Equal(50, lines.Length);
        foreach ((string line, var record) in lines.Zip(dump.Source.ReadLog()))
        {
            Assert.True(ExtendedRecord.TryParse(Encoding.UTF8.GetBytes(line), out ExtendedRecord read));
            Assert.Equal((record.Sequence, record.Nanoseconds / 1000, FragmentMark.None), (read.Sequence, read.Microseconds, read.Fragment));
            Assert.Equal(record.Text.Span, read.EscapedText);
        }
        Assert.Equal([SendStage.Connecting, SendStage.Connected, SendStage.LogSent], _seen.Select(p => p.Stage).Distinct().Take(3));
        Assert.Equal((SendStage.Ended, SendOutcome.Stored), (_seen[^1].Stage, _seen[^1].Outcome));
        Assert.Equal(_seen[^1].PagesTotal, _seen[^1].PagesSent);
        Assert.Equal(_seen.Select(p => p.PagesSent).Order(), _seen.Select(p => p.PagesSent));
    }

    [Fact]
    public void TwentyCutsCostAtMostTheBlockThatWasOnItsWayEach()
    {
        using DumpFile dump = new(morePages: 1500);
        byte[] expected = Expected(dump.Source.File, 0);
        Random random = new(7);
        foreach (long cut in Enumerable.Range(0, 20).Select(_ => (long)random.Next(1, expected.Length)).Order()) _server.Cuts.Enqueue(cut);
        SendResult result = Send(dump.Source.File, Options);
        Assert.Equal((SendOutcome.Stored, null), (result.Outcome, result.Reason));
        Assert.Empty(_server.Cuts);
        Assert.Equal(expected, Stored());
        long repeated = _server.PatchBytes - _server.Last.Vmcore!.Length;
        Assert.InRange(repeated, 1, 20L * Block);
        Assert.Single(_server.Announcements);
        Assert.All(_server.Requests.Where(r => r.Method == "PATCH"), r => Assert.True(long.Parse(r.Headers["Upload-Offset"]) % Block == 0));
    }

    [Fact]
    public void ABlockWhoseAnswerWasLostIsNotSentAgain()
    {
        using DumpFile dump = new(morePages: 400);
        int lost = 0;
        _server.After = request => request.Method == "PATCH" && lost++ < 3 ? UploadReply.Cut : null;
        Assert.Equal(SendOutcome.Stored, Send(dump.Source.File, Options).Outcome);
        Assert.Equal(Expected(dump.Source.File, 0), Stored());
        Assert.Equal(_server.Last.Vmcore!.Length, _server.PatchBytes);
        Assert.Equal(3, _server.Requests.Count(r => r.Method == "HEAD"));
    }

    [Fact]
    public void AServerWithAnotherKeyGetsNothing()
    {
        using DumpFile dump = new();
        using UploadServer other = new();
        SendResult result = new SecureSender(dump.Source.File, Options, _seen.Add).Run([_server.Target with { Pin = other.Target.Pin }], TestContext.Current.CancellationToken);
        Assert.Equal(SendOutcome.WrongServerKey, result.Outcome);
        Assert.Equal($"the server at server shows key {_server.Target.Pin}, pinned is {other.Target.Pin}; if the server was reinstalled: netdump propagate", result.Reason);
        Assert.Empty(_server.Requests);
        Assert.Equal(result.Reason, _seen[^1].Reason);
    }

    [Theory]
    [InlineData("not-enrolled", 403, SendOutcome.NotEnrolled)]
    [InlineData("wrong-boot", 403, SendOutcome.Refused)]
    [InlineData("bad-message", 400, SendOutcome.Refused)]
    [InlineData("over", 409, SendOutcome.Refused)]
    public void ARefusalIsTheServersOwnWordOnOneLine(string code, int status, SendOutcome outcome)
    {
        using DumpFile dump = new();
        _server.Instead = _ => UploadReply.Problem(status, code, "what\nhappened \e[31m", "what to do");
        SendResult result = Send(dump.Source.File, Options);
        Assert.Equal((outcome, "what happened  [31m; what to do"), (result.Outcome, result.Reason));
        Assert.Single(_server.Requests);
    }

    [Fact]
    public void ServersAreTriedInOrder()
    {
        using DumpFile dump = new();
        int closed;
        using (Socket gone = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))
        {
            gone.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            closed = ((IPEndPoint)gone.LocalEndPoint!).Port;
        }
        SecureTarget none = new("none", new IPEndPoint(IPAddress.Loopback, closed), _server.Target.Pin);
        SecureSender sender = new(dump.Source.File, Options, _seen.Add);
        Assert.Equal(SendOutcome.Stored, sender.Run([none, _server.Target], TestContext.Current.CancellationToken).Outcome);
        Assert.Equal([("none", SendOutcome.PortClosed), ("server", SendOutcome.Stored)], _seen.Where(p => p.Outcome != SendOutcome.None).Select(p => (p.Target.Name, p.Outcome)));
        SendResult last = sender.Run([none], TestContext.Current.CancellationToken);
        Assert.Equal((SendOutcome.PortClosed, "nothing listens at none"), (last.Outcome, last.Reason));
    }

    [Fact]
    public void AFullDiskIsWaitedFor()
    {
        using DumpFile dump = new(morePages: 400);
        int full = 0;
        _server.Instead = r => r.Method == "PATCH" && r.Headers["Upload-Offset"] == $"{3 * Block}" && full++ < 3 ? UploadReply.Problem(507, "no-space", "the disk is full") : null;
        Assert.Equal(SendOutcome.Stored, Send(dump.Source.File, Options).Outcome);
        Assert.Equal(Expected(dump.Source.File, 0), Stored());
        Assert.Equal(3, _notes.Count(n => n.StartsWith("the disk is full; the next try follows in ", StringComparison.Ordinal)));
    }

    [Fact]
    public void ADiskThatStaysFullIsAnOutcomeOfItsOwn()
    {
        using DumpFile dump = new(morePages: 400);
        _server.Instead = r => r.Method == "PATCH" ? UploadReply.Problem(507, "no-space", "the disk is full") : null;
        SendResult result = Send(dump.Source.File, Options with { SilenceLimit = TimeSpan.FromSeconds(1) });
        Assert.Equal((SendOutcome.NoSpace, "the disk is full"), (result.Outcome, result.Reason));
    }

    [Theory]
    [InlineData(403, SendOutcome.NotWanted)]
    [InlineData(507, SendOutcome.NoSpace)]
    public void AVmcoreThatIsNotWantedIsNotSent(int refusal, SendOutcome outcome)
    {
        using DumpFile dump = new();
        _server.Decide = a => a with { Vmcore = WantedVmcore.None, Refusal = refusal, Reason = "3 dumps of this today" };
        SendResult result = Send(dump.Source.File, Options);
        Assert.Equal(outcome, result.Outcome);
        Assert.Equal(outcome == SendOutcome.NotWanted, result.IsDone);
        Assert.NotNull(_server.Last.Log);
        Assert.Null(_server.Last.Vmcore);
        // A crash that may still get its vmcore is not closed.
        Assert.Equal(outcome == SendOutcome.NotWanted, _server.Done is not null);
        Assert.Contains("server: 3 dumps of this today", _notes);
    }

    [Theory]
    [InlineData(WantedVmcore.Full, null, 0)]
    [InlineData(WantedVmcore.Filtered, 1, 1)]
    [InlineData(WantedVmcore.Filtered, null, 31)]
    public void TheServerDecidesHowMuchIsSent(WantedVmcore wanted, int? level, int expected)
    {
        using DumpFile dump = new();
        _server.Decide = a => a with { Vmcore = wanted, DumpLevel = level };
        Assert.Equal(SendOutcome.Stored, Send(dump.Source.File, Options with { DumpLevel = 31 }).Outcome);
        Assert.Equal(Expected(dump.Source.File, expected), Stored()); // the header says the level
    }

    [Fact]
    public void WhenTheServerHasForgottenTheDumpGoesOutAnewUnderAnotherName()
    {
        using DumpFile dump = new(morePages: 400);
        int patches = 0;
        _server.After = r =>
        {
            if (r.Method == "PATCH" && ++patches == 4) _server.Forget();
            return null;
        };
        Assert.Equal(SendOutcome.Stored, Send(dump.Source.File, Options).Outcome);
        Assert.Equal(Expected(dump.Source.File, 0), Stored());
        Assert.Equal(2, _server.Announcements.Select(a => a.Id).Distinct().Count());
        Assert.Contains(_notes, n => n.EndsWith("the dump is sent again from its beginning", StringComparison.Ordinal));
    }

    [Fact]
    public void AnotherProcessGoesOnWhereTheFirstStopped()
    {
        using DumpFile dump = new(morePages: 1000);
        using CancellationTokenSource stop = new();
        int patches = 0;
        _server.After = r =>
        {
            if (r.Method == "PATCH" && ++patches == 6) stop.Cancel();
            return null;
        };
        SendResult first = new SecureSender(dump.Source.File, Options).Run([_server.Target], stop.Token);
        Assert.Equal(SendOutcome.Cancelled, first.Outcome);
        Assert.Null(_server.Done);
        long had = _server.Last.Vmcore!.Length;
        Assert.InRange(had, 6L * Block, 7L * Block);
        long before = _server.PatchBytes;
        Assert.Equal(SendOutcome.Stored, Send(dump.Source.File, Options).Outcome);
        Assert.Equal(_server.Last.Vmcore.Length - had, _server.PatchBytes - Math.Max(before, had));
        Assert.Equal(Expected(dump.Source.File, 0), Stored());
        Assert.NotNull(_server.Done?.Digest);
        Assert.Equal(2, _server.Announcements.Count);
        Assert.Single(_server.Requests, r => r.Method == "PUT");
        // And once more: all is there.
        Assert.Equal(SendOutcome.Stored, Send(dump.Source.File, Options).Outcome);
    }

    [Fact]
    public void BlocksOfAnotherSizeAreGoneOnFromWithoutADigestOverAll()
    {
        using DumpFile dump = new(morePages: 1000);
        using CancellationTokenSource stop = new();
        int patches = 0;
        _server.After = r =>
        {
            if (r.Method == "PATCH" && ++patches == 5) stop.Cancel();
            return null;
        };
        Assert.Equal(SendOutcome.Cancelled, new SecureSender(dump.Source.File, Options).Run([_server.Target], stop.Token).Outcome);
        Assert.Equal(SendOutcome.Stored, Send(dump.Source.File, Options with { BlockSize = 3 * Block }).Outcome);
        Assert.Equal(Expected(dump.Source.File, 0), Stored());
        Assert.Null(_server.Done!.Digest);
    }

    [Fact]
    public void ADumpThatChangedMeanwhileIsNotPutTogetherWithTheOldOne()
    {
        using DumpFile dump = new(morePages: 600);
        using DumpFile other = new(morePages: 601);
        using CancellationTokenSource stop = new();
        int patches = 0;
        _server.After = r =>
        {
            if (r.Method == "PATCH" && ++patches == 3) stop.Cancel();
            return null;
        };
        new SecureSender(other.Source.File, Options).Run([_server.Target], stop.Token);
        Assert.Equal(SendOutcome.Stored, Send(dump.Source.File, Options).Outcome);
        Assert.Equal(Expected(dump.Source.File, 0), Stored());
        Assert.Equal("host-2", _server.Last.Name);
    }

    [Theory]
    [InlineData("vmcore.kdump-zlib-d31")]
    [InlineData("vmcore.kdump-zlib-d31.flat")]
    public void ACompressedDumpGoesAsItIs(string name)
    {
        string path = SharedData.File("linux-6.1-sysrq", name);
        if (name.EndsWith(".flat", StringComparison.Ordinal))
        {
            path = Path.GetTempFileName();
            using VmcoreFile source = VmcoreFile.Open(SharedData.File("linux-6.1-sysrq", "vmcore.kdump-zlib-d31"));
            using FlattenedOutput flat = new(File.Create(path));
            KdumpWriter.Write(source, All(source), flat, new WriteOptions());
        }
        using VmcoreFile file = VmcoreFile.Open(path);
        Assert.Equal(SendOutcome.Stored, Send(file, Options with { BlockSize = 1 << 20, DumpLevel = 31 }).Outcome);
        byte[] bytes = new byte[file.Bytes.Length];
        file.Bytes.Read(0, bytes);
        Assert.Equal(bytes, _server.Last.Vmcore!.ToArray());
        Assert.Equal(bytes.Length, _server.Last.Length);
        Assert.Null(_server.Announcements[0].DumpLevel);
        Assert.Equal((ulong)bytes.Length, _server.Announcements[0].VmcoreBytes);
    }

    [Fact]
    public void ADamagedBlockIsSentAgain()
    {
        using DumpFile dump = new();
        int damaged = 0;
        _server.Instead = r => r.Method == "PATCH" && damaged++ == 0 ? UploadReply.Problem(460, "digest", "damaged") : null;
        Assert.Equal(SendOutcome.Stored, Send(dump.Source.File, Options).Outcome);
        Assert.Contains("a block was damaged on its way to server: it is sent again", _notes);
        _server.Instead = r => r.Method == "PATCH" ? UploadReply.Problem(460, "digest", "damaged") : null;
        _server.Forget();
        Assert.Equal((SendOutcome.Refused, "damaged"), Send(dump.Source.File, Options) is var result ? (result.Outcome, result.Reason) : default);
    }

    [Fact]
    public void TasksThatBreakOffAndALogThatIsRefusedCostALineAndNotTheDump()
    {
        using DumpFile dump = new();
        _server.Instead = r => r.Path.EndsWith("/log", StringComparison.Ordinal) ? UploadReply.Problem(413, "too-large", "too long") : null;
        static IEnumerable<string> State()
        {
            yield return "task:1\n";
            throw new InvalidOperationException("a wild pointer");
        }
        Assert.Equal(SendOutcome.Stored, Send(dump.Source.File, Options with { State = State }).Outcome);
        Assert.Equal("task:1\nnetdump: the list of tasks ends here: a wild pointer\n", Encoding.UTF8.GetString(_server.Last.Tasks!));
        Assert.Contains("the log is not taken: too long", _notes);
        _server.Forget();
        Assert.Equal(SendOutcome.Stored, Send(dump.Source.File, Options with { State = () => throw new VmcoreFormatException(-1, "no symbols") }).Outcome);
        Assert.Equal("netdump: the list of tasks ends here: no symbols\n", Encoding.UTF8.GetString(_server.Last.Tasks!));
    }

    [Fact]
    public void EndlessTasksAreCutBeforeTheServerRefusesThem()
    {
        using DumpFile dump = new();
        string line = new('x', 100_000);
        Assert.Equal(SendOutcome.Stored, Send(dump.Source.File, Options with { State = () => Enumerable.Repeat(line, int.MaxValue) }).Outcome);
        Assert.InRange(_server.Last.Tasks!.Length, UploadPaths.LongestText - (1 << 20), UploadPaths.LongestText);
    }

    [Theory]
    [InlineData("nowhere")]
    [InlineData("elsewhere")]
    [InlineData("absolute")]
    [InlineData("deep")]
    [InlineData("html")]
    [InlineData("long")]
    [InlineData("null")]
    [InlineData("level")]
    [InlineData("negative")]
    [InlineData("headers")]
    [InlineData("redirect")]
    public void AnAnswerThatNoServerOfOursGivesIsRefused(string kind)
    {
        using DumpFile dump = new();
        string answer = """{"crash":"c","vmcore":"full"}""";
        _server.Instead = _ => kind switch
        {
            "nowhere" => new UploadReply(201, answer),
            "elsewhere" => new UploadReply(201, answer, Headers: ("Location", "/other/v1/crashes/c")),
            "absolute" => new UploadReply(201, answer, Headers: ("Location", "https://example.org/upload/v2/crashes/c")),
            "deep" => new UploadReply(201, answer, Headers: ("Location", "/upload/v1/crashes/c/../../host")),
            "html" => new UploadReply(200, "<html>hello</html>", "text/html", ("Location", "/upload/v1/crashes/c")),
            "long" => new UploadReply(201, new string(' ', 70_000), Headers: ("Location", "/upload/v1/crashes/c")),
            "null" => new UploadReply(201, "null", Headers: ("Location", "/upload/v1/crashes/c")),
            "level" => new UploadReply(201, """{"crash":"c","vmcore":"filtered","dump_level":32}""", Headers: ("Location", "/upload/v1/crashes/c")),
            "negative" => new UploadReply(201, """{"crash":"c","vmcore":"full","vmcore_offset":-1}""", Headers: ("Location", "/upload/v1/crashes/c")),
            "headers" => new UploadReply(201, answer, Headers: [.. Enumerable.Range(0, 500).Select(i => ($"X-{i}", new string('x', 100)))]),
            _ => new UploadReply(307, Headers: ("Location", "https://example.org/")),
        };
        SendResult result = Send(dump.Source.File, Options);
        Assert.True(result.Outcome is SendOutcome.Refused or SendOutcome.NoAnswer, $"{result.Outcome}");
        Assert.NotEmpty(result.Reason!);
        Assert.DoesNotContain('\n', result.Reason!);
    }

    [Theory]
    [InlineData("-5")]
    [InlineData("0")]
    [InlineData("99999999999999999999")]
    [InlineData("9000000000000000000")]
    [InlineData("")]
    public void OffsetsThatAreLiesEndItSoon(string offset)
    {
        using DumpFile dump = new(morePages: 200);
        _server.Instead = r => r.Method switch
        {
            "PATCH" => new UploadReply(204, Headers: ("Upload-Offset", offset)),
            "HEAD" => new UploadReply(200, Headers: ("Upload-Offset", offset)),
            _ => null,
        };
        Assert.Equal(SendOutcome.Refused, Send(dump.Source.File, Options).Outcome);
        Assert.InRange(_server.Requests.Count, 3, 30);
    }

    [Fact]
    public void AServerThatFallsSilentInTheMiddleIsGivenUp()
    {
        using DumpFile dump = new(morePages: 200);
        using ManualResetEventSlim never = new();
        _server.Instead = r =>
        {
            if (r.Method == "PATCH") never.Wait(TimeSpan.FromSeconds(3));
            return null;
        };
        SendResult result = Send(dump.Source.File, Options with { StallLimit = TimeSpan.FromMilliseconds(200), SilenceLimit = TimeSpan.FromMilliseconds(500) });
        Assert.Equal((SendOutcome.Silent, "no answer from server"), (result.Outcome, result.Reason));
        never.Set();
    }

    [Fact]
    public void ACancelledDumpEndsSoon()
    {
        using DumpFile dump = new(morePages: 400);
        using ManualResetEventSlim never = new();
        _server.Instead = r =>
        {
            if (r.Method == "PATCH") never.Wait(TimeSpan.FromSeconds(10));
            return null;
        };
        using CancellationTokenSource stop = new(TimeSpan.FromMilliseconds(500));
        SendResult result = new SecureSender(dump.Source.File, Options).Run([_server.Target], stop.Token);
        never.Set();
        Assert.Equal(SendOutcome.Cancelled, result.Outcome);
        Assert.InRange(result.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(9));
    }

    [Fact]
    public void AServerThatMovedIsFoundAgain()
    {
        using DumpFile dump = new(morePages: 400);
        using Socket dead = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        dead.Bind(new IPEndPoint(IPAddress.Loopback, 0)); // does not listen
        int asked = 0;
        SecureTarget target = _server.Target with
        {
            Address = (IPEndPoint)dead.LocalEndPoint!,
            Find = () => asked++ < 2 ? (IPEndPoint)dead.LocalEndPoint! : _server.Target.Address,
        };
        Assert.Equal(SendOutcome.Stored, new SecureSender(dump.Source.File, Options).Run([target], TestContext.Current.CancellationToken).Outcome);
        Assert.Equal(3, asked);
    }

    public void Dispose()
    {
        _server.Dispose();
        _certificate.Dispose();
        _key.Dispose();
    }

    private SendResult Send(VmcoreFile file, SecureOptions options) => new SecureSender(file, options, _seen.Add).Run([_server.Target], TestContext.Current.CancellationToken);

    private byte[] Stored() => _server.Last.Vmcore!.ToArray();

    private static PageSelection All(VmcoreFile file) => new PageFilter(file, 0).Select;

    private static byte[] Expected(VmcoreFile file, int level)
    {
        using MemoryStream stream = new();
        using (PageFilter filter = new(file, level))
        using (FlattenedOutput output = new(stream, leaveOpen: true))
            KdumpWriter.Write(file, filter.Select, output, new WriteOptions { DumpLevel = level, Threads = 1 });
        return stream.ToArray();
    }
}
