using System.Net;
using System.Runtime.ExceptionServices;
using System.Text;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Client.Tests.Linux;
using Netdump.Client.Tests.Trust;
using Netdump.Client.Trust;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Tests.Host;

/// <summary>
/// Items 49 to 56 of the operators' checklist where only the server knows: each code is provoked once. The server is a TLS end in a network of its own;
/// against the real one: tests/Netdump.EndToEnd.
/// </summary>
public sealed class SecureStatusTests
{
    private const string Machine = "0123456789abcdef0123456789abcdef";

    private static string Standing(ulong free = 1UL << 40, string more = "") => $$"""
        HTTP/1.1 200 OK

        {"name":"web-17","server":"netdump-server 1.0.0","now":"2026-11-25T12:00:00Z","free_bytes":{{free}}{{more}}}
        """.ReplaceLineEndings("\r\n");

    /// <summary>Runs a test on a host with a key, and a server that answers it.</summary>
    private static void Run(string answer, Action<ArmableHost, TlsServer> test, string configuration = "", bool pinned = true) => NetworkNamespace.Run(netlink =>
    {
        using var host = new ArmableHost(netlink);
        NetworkNamespace.Ip($"link set west address {ArmableHost.Mac}");
        using ManualResetEventSlim there = new(), moved = new(), listening = new(), over = new();
        string task = "";
        TlsServer? server = null;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                NetworkNamespace.Run(_ =>
                {
                    task = Path.GetFileName(new FileInfo("/proc/thread-self").LinkTarget!);
                    there.Set();
                    moved.Wait();
                    NetworkNamespace.Ip($"address add {ArmableHost.Server}/24 dev west");
                    NetworkNamespace.Ip("link set west up");
                    using var listener = new TlsServer(_ => Encoding.UTF8.GetBytes(answer), IPAddress.Parse(ArmableHost.Server), 6667);
                    server = listener;
                    listening.Set();
                    over.Wait();
                });
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
                there.Set();
                listening.Set();
            }
        });
        thread.Start();
        try
        {
            there.Wait();
            failure?.Throw();
            NetworkNamespace.Ip($"link set west netns {task}");
            moved.Set();
            listening.Wait();
            failure?.Throw();
            host.Fake.Write("/etc/machine-id", Machine + "\n");
            host.Fake.Write("/proc/sys/kernel/random/boot_id", "0a7d8a6e-8e0c-4e2c-9a4e-0c8a3c2c7b11\n");
            host.Configure($"NETDUMPADDR={ArmableHost.Server}\nTRIGGERS=oops\nTRANSPORT=auto\n{configuration}");
            HostKey.Ensure(host.Files, "web-17", _ => { });
            if (pinned) Pin(host, server!.Key);
            test(host, server!);
        }
        finally
        {
            moved.Set();
            over.Set();
            thread.Join();
        }
    });

    private static void Pin(ArmableHost host, KeyFingerprint key) =>
        KnownServers.Load(host.Files).Pin(host.Files, new(new Endpoint(ArmableHost.Server, 6667), key, new DateOnly(2026, 10, 2)));

    private static StatusReport Report(ArmableHost host)
    {
        StatusReport report = new HostStatus(host.Files, host.Configuration, TimeProvider.System).Report();
        Assert.All(report.Checks, c => Assert.True(c.Level is CheckLevel.Ok or CheckLevel.Unknown || (c.Code is not null && c.Advice is not null), $"no code or remedy: {c}"));
        return report;
    }

    private static Check Only(StatusReport report, string name) => Assert.Single(report.Checks, c => c.Name == name);

    [Fact]
    public void An_enrolled_host_is_told_what_its_server_knows() => Run(Standing(more: ",\"last_console\":\"2026-11-25T11:57:00Z\""), (host, server) =>
    {
        host.Arm();
        StatusReport report = Report(host);
        Assert.Equal("10.79.0.9:6667: netdump-server 1.0.0, key as pinned, knows this host as web-17, 1 TiB free, heard this host's console 3 min ago", Only(report, "server").Fact);
        Assert.Equal(CheckLevel.Ok, Only(report, "server").Level);
        Assert.Equal($"key of this machine, {HostKey.FindPublic(host.Files)!.Fingerprint}", Only(report, "identity").Fact);
        Assert.Equal(HostKey.FindPublic(host.Files)!.Fingerprint, server.Client);
        Assert.DoesNotContain(report.Checks, c => c.Code == "no-secure-channel");
    });

    [Fact]
    public void A_test_whose_dump_the_server_has_is_proof() => Run(
        Standing(more: ",\"last_dump\":{\"crash\":\"web-17-2026-11-20-10:00\",\"at\":\"2026-11-20T10:01:00Z\",\"bytes\":432013312,\"boot_id\":\"5b1c3f44-6f0e-4a39-a1d8-24f1d9a7ce57\",\"title\":\"x\"}"), (host, _) =>
    {
        ArmedState state = host.Arm();
        var record = new TestRecord { BootId = "5b1c3f44-6f0e-4a39-a1d8-24f1d9a7ce57", At = TimeProvider.System.GetUtcNow().AddDays(-5), Image = state.Image, Directory = "x" };
        record.Save(host.Files);
        StatusReport report = Report(host);
        Assert.Equal((0, true), (report.ExitCode, report.Proven));
        Assert.Matches("^ARMED, PROVEN: the dump of the test of [0-9-]+ \\(5 days ago\\) arrived, 412 MiB, as the server says: web-17-2026-11-20-10:00$", report.Verdict);
        Assert.DoesNotContain("crash\"", File.ReadAllText(host.Files.Map(TestRecord.FilePath)));
        (record with { BootId = Guid.NewGuid().ToString() }).Save(host.Files);
        Assert.Equal("unproven", Only(Report(host), "last proven").Code);
    });

    [Fact]
    public void Item_49_a_key_that_is_not_enrolled() => Run("HTTP/1.1 403 Forbidden\r\n\r\n{\"type\":\"urn:netdump:not-enrolled\",\"title\":\"x\",\"status\":403}", (host, _) =>
    {
        host.Arm(); // the server may be put right before the crash
        StatusReport report = Report(host);
        Check check = Only(report, "server");
        Assert.Equal(("our key is not enrolled at 10.79.0.9:6667 (403)", "netdump propagate", "not-enrolled", CheckLevel.Fail, 2), (check.Fact, check.Advice, check.Code, check.Level, report.ExitCode));
    });

    [Fact]
    public void Refused_by_the_server_is_a_warning_where_the_classic_way_is_open() => Run("HTTP/1.1 403 Forbidden\r\n\r\n", (host, _) =>
    {
        host.Arm();
        Assert.Equal(CheckLevel.Warn, Only(Report(host), "server").Level);
    }, configuration: "CLASSIC_FALLBACK=yes\n");

    [Fact]
    public void Item_49_a_server_with_another_key_shows_both_fingerprints() => Run(Standing(), (host, server) =>
    {
        KeyFingerprint old = KeyFingerprint.Of([1]);
        Pin(host, old);
        host.Arm();
        StatusReport report = Report(host);
        Check check = Only(report, "server");
        Assert.Equal(("server-key", CheckLevel.Fail, 2), (check.Code, check.Level, report.ExitCode));
        Assert.Contains($"pinned on 2026-10-02: pinned {old}, now {server.Key}", check.Fact);
        Assert.Contains("netdump propagate --server 10.79.0.9", check.Advice);
    }, pinned: false);

    [Fact]
    public void Item_55_a_server_without_space() => Run(Standing(free: 100 << 20), (host, _) =>
    {
        host.Arm();
        Check check = Only(Report(host), "server");
        Assert.Equal(("disk-full", CheckLevel.Warn), (check.Code, check.Level));
        Assert.Contains("100 MiB free", check.Fact);
    });

    [Theory]
    [InlineData("HTTP/1.1 500 Oops\r\n\r\nx", "answered 500")]
    [InlineData("HTTP/1.1 200 OK\r\n\r\n{\"name\":1}", "its answer cannot be read")]
    [InlineData("nonsense", "does not speak HTTP")]
    public void Whatever_a_server_answers_is_a_line_and_no_end(string answer, string fact) => Run(answer, (host, _) =>
    {
        host.Arm();
        Check check = Only(Report(host), "server");
        Assert.Equal(("server-down", CheckLevel.Warn), (check.Code, check.Level));
        Assert.Contains(fact, check.Fact);
    });

    [Fact]
    public void A_copied_disk_arms_no_second_host_of_the_same_name() => Run(Standing(), (host, _) =>
    {
        host.Arm();
        host.Fake.Write("/etc/machine-id", "fedcba9876543210fedcba9876543210\n");
        StatusReport report = Report(host);
        Check check = Only(report, "identity");
        Assert.Equal(("clone", CheckLevel.Fail, 2), (check.Code, check.Level, report.ExitCode));
        Assert.StartsWith($"this key belongs to machine-id {Machine}", check.Fact);
        Assert.Contains("netdump propagate", check.Advice);
        Assert.Equal("clone", Assert.Throws<ClientException>(() => host.Arm()).Check?.Code);
    });

    [Fact]
    public void Before_propagate_dumps_go_in_the_clear_with_a_warning_or_not_at_all() => Run(Standing(), (host, _) =>
    {
        host.Arm();
        Check check = Only(Report(host), "identity");
        Assert.Equal(("not-enrolled", CheckLevel.Warn, "netdump propagate"), (check.Code, check.Level, check.Advice));
        Assert.Contains("dumps go in the clear", check.Fact);
        host.Configure($"NETDUMPADDR={ArmableHost.Server}\nTRANSPORT=secure\n");
        Assert.Equal("not-enrolled", Assert.Throws<ClientException>(() => host.Arm()).Check?.Code);
        Assert.Equal(2, Report(host).ExitCode);
    }, pinned: false);

    [Fact]
    public void A_server_that_was_pinned_anew_makes_the_image_stale() => Run(Standing(), (host, _) =>
    {
        host.Arm();
        Assert.DoesNotContain(Report(host).Checks, c => c.Code == "stale-image");
        Pin(host, KeyFingerprint.Of([2]));
        Assert.Contains("identity changed", Only(Report(host), "image").Fact);
    });

    [Fact]
    public void A_mistake_in_known_servers_is_told_with_its_line() => Run(Standing(), (host, _) =>
    {
        host.Arm();
        File.AppendAllText(host.Files.Map(KnownServers.FilePath), "x y z\n");
        Check check = Only(Report(host), "identity");
        Assert.Equal(("bad-config", CheckLevel.Warn), (check.Code, check.Level));
        Assert.StartsWith($"{KnownServers.FilePath}:2:", check.Fact);
    });
}
