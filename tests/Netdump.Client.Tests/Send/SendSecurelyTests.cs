using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using Netdump.Client.Tests.Commands;
using Netdump.Protocols.Keys;
using Netdump.Vmcore.Tests;

namespace Netdump.Client.Tests.Send;

[Collection("console")]
public sealed class SendSecurelyTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("netdump-send").FullName;
    private readonly UploadServer _server = new();
    private readonly string _key;

    public SendSecurelyTests()
    {
        _key = Path.Combine(_directory, "key");
        Assert.Equal(0, CapturedRun.Run("keygen", "--key", _key).Exit);
    }

    [Fact]
    public void ADumpEndsWithALineThatNamesItAndASecondRunSendsNothing()
    {
        using DumpFile dump = new();
        (int Exit, string Output, string Error) run = Send(dump.Path);
        Assert.Equal(0, run.Exit);
        string[] lines = run.Output.TrimEnd('\n').Split('\n');
        Assert.Equal([$"sending 1 MB to {_server.Target.Address}", $"{_server.Target.Address} answered"], lines[..2]);
        Assert.Matches("^done: [0-9]+ pages in [0-9.]+ s, kept as host-1$", lines[^1]);
        Assert.Contains("netdump: free pages are kept: VMCOREINFO has no SIZE(page)\n", run.Error, StringComparison.Ordinal);
        Assert.Equal(31, _server.Announcements[0].DumpLevel);
        long sent = _server.PatchBytes;
        Assert.Equal(0, Send(dump.Path).Exit);
        Assert.Equal(sent, _server.PatchBytes);
        Assert.Equal(_server.Announcements[0].Id, _server.Announcements[1].Id);
        // At another level it is another stream.
        Assert.Equal(0, Send(dump.Path, "--dump-level", "1").Exit);
        Assert.NotEqual(_server.Announcements[0].Id, _server.Announcements[2].Id);
        Assert.Equal(2 * sent, _server.PatchBytes);
    }

    [Fact]
    public void ARealDumpIsAnnouncedWithTitleSignatureAndTasks()
    {
        (int Exit, string Output, string Error) run = Send(SharedData.File("linux-6.1-sysrq", "vmcore.kdump-zlib-d31"), "--json");
        Assert.Equal((0, ""), (run.Exit, run.Error));
        var said = Assert.Single(_server.Announcements);
        Assert.Equal(("kernel panic: sysrq triggered crash", 1), (said.Title, said.Signature?.Version));
        Assert.StartsWith("6.1.", said.Release, StringComparison.Ordinal);
        Assert.Equal("x86_64", said.Machine);
        Assert.NotEmpty(_server.Last.Tasks!);
        var events = run.Output.TrimEnd('\n').Split('\n').Select(l => JsonDocument.Parse(l).RootElement).ToList();
        Assert.Equal("connecting", events[0].GetProperty("event").GetString());
        Assert.Equal(("end", "done", "host-1"), (events[^1].GetProperty("event").GetString(), events[^1].GetProperty("outcome").GetString(), events[^1].GetProperty("crash").GetString()));
    }

    [Fact]
    public void TroubleIsOneLineThatSaysWhatToDo()
    {
        using DumpFile dump = new();
        string own;
        using (ECDsa read = OpenSshKeyFile.TryRead(File.ReadAllBytes(_key), out ECDsa? key) ? key : throw new InvalidOperationException()) own = KeyFingerprint.Of(read).ToString();
        string to = _server.Target.Address.ToString();
        Expect($"the key of {to} is not known; give --pin with what netdump-server fingerprint prints there, or let netdump propagate write it to /etc/netdump/known_servers",
            CapturedRun.Run("send", dump.Path, "--server", to, "--key", _key));
        Expect($"there is no key {_key}x; netdump keygen makes one", CapturedRun.Run("send", dump.Path, "--server", to, "--pin", $"{_server.Target.Pin}", "--key", _key + "x"));
        File.WriteAllText(dump.Path + ".key", "x");
        Expect($"{dump.Path}.key is no private key file of OpenSSH", CapturedRun.Run("send", dump.Path, "--server", to, "--pin", $"{_server.Target.Pin}", "--key", dump.Path + ".key"));
        File.WriteAllBytes(dump.Path + ".cut", dump.Bytes[..^5000]);
        Expect("is cut short: it has ", Send(dump.Path + ".cut"));
        Expect($"the server at {to} shows key {_server.Target.Pin}, pinned is {own}; if the server was reinstalled: netdump propagate", CapturedRun.Run("send", dump.Path, "--server", to, "--key", _key, "--pin", own));
        _server.Instead = _ => UploadReply.Problem(403, "not-enrolled", "who is that");
        Expect($"{to} does not know the key {_key} ({own}); on the server: netdump-server enrol key.pub", Send(dump.Path));
        _server.Instead = _ => UploadReply.Problem(400, "bad-message", "what", "why");
        Expect($"{to} refuses it: what; why", Send(dump.Path));
        using Socket gone = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        gone.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Expect($"nothing listens at {gone.LocalEndPoint}; check that netdump-server runs there", CapturedRun.Run("send", dump.Path, "--server", $"{gone.LocalEndPoint}", "--key", _key, "--pin", own, "--timeout", "1"));
        File.Delete(dump.Path + ".cut");
        File.Delete(dump.Path + ".key");
    }

    public void Dispose()
    {
        _server.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private (int Exit, string Output, string Error) Send(string path, params string[] more) => CapturedRun.Run(["send", path, "--server", $"{_server.Target.Address}", "--pin", $"{_server.Target.Pin}", "--key", _key, .. more]);

    private static void Expect(string text, (int Exit, string Output, string Error) run)
    {
        Assert.Equal(1, run.Exit);
        Assert.Contains(text, run.Error.TrimEnd('\n').Split('\n')[^1], StringComparison.Ordinal);
    }
}
