using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using Netdump.Client.Tests.Host;
using Netdump.Client.Trust;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Tests.Trust;

public sealed class HostKeyTests : IDisposable
{
    private const string Machine = "0123456789abcdef0123456789abcdef", Other = "fedcba9876543210fedcba9876543210";

    private readonly FakeHost _host = new();
    private readonly List<string> _said = [];

    public HostKeyTests() => _host.Write("/etc/machine-id", Machine + "\n");

    private SshPublicKey Ensure() => HostKey.Ensure(_host.Files, "web-17", _said.Add);

    private static string SshKeygen(params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("ssh-keygen", arguments) { UseShellExecute = false, RedirectStandardOutput = true })!;
        string said = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return said.Trim();
    }

    [Fact]
    public void The_key_is_made_once_for_root_alone_and_ssh_keygen_reads_it()
    {
        SshPublicKey key = Ensure();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_host.Root + HostKey.FilePath));
        Assert.Equal(key.ToString(), SshKeygen("-y", "-f", _host.Root + HostKey.FilePath));
        Assert.Equal(key.ToString(), File.ReadAllText(_host.Root + HostKey.FilePath + ".pub").Trim());
        Assert.EndsWith(" web-17", key.ToString());
        Assert.Single(_said);

        Assert.Equal(key.Fingerprint, Ensure().Fingerprint);
        Assert.Single(_said);
        Assert.Equal(key.Fingerprint, HostKey.FindPublic(_host.Files)?.Fingerprint);
        Assert.DoesNotContain(Directory.GetFiles(_host.Root + "/etc/netdump"), f => f.EndsWith(".new", StringComparison.Ordinal));
    }

    [Fact]
    public void A_key_that_ssh_keygen_made_is_taken_and_its_public_half_written()
    {
        _host.MakeDirectory("/etc/netdump");
        SshKeygen("-q", "-t", "ecdsa", "-b", "256", "-N", "", "-C", "old", "-f", _host.Root + HostKey.FilePath);
        string half = File.ReadAllText(_host.Root + HostKey.FilePath + ".pub").Split(' ')[1];
        File.Delete(_host.Root + HostKey.FilePath + ".pub");
        Assert.Null(HostKey.FindPublic(_host.Files));
        Assert.Equal(half, Ensure().ToString().Split(' ')[1]);
        Assert.NotNull(HostKey.FindPublic(_host.Files));
    }

    [Fact]
    public void A_key_of_another_machine_is_put_aside_and_a_new_one_made()
    {
        SshPublicKey first = Ensure();
        Assert.Null(HostKey.OtherMachine(_host.Files));
        _host.Write("/etc/machine-id", Other + "\n");
        Assert.Equal(Machine, HostKey.OtherMachine(_host.Files));
        SshPublicKey second = Ensure();
        Assert.NotEqual(first.Fingerprint, second.Fingerprint);
        Assert.Null(HostKey.OtherMachine(_host.Files));
        Assert.Equal(first.ToString(), SshKeygen("-y", "-f", $"{_host.Root}{HostKey.FilePath}.{Machine}"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("uninitialized\n")]
    public void A_machine_without_an_id_has_no_other(string id)
    {
        _host.Write("/etc/machine-id", id);
        Ensure();
        Assert.Null(HostKey.OtherMachine(_host.Files));
    }

    [Fact]
    public void What_is_no_key_is_refused_and_not_replaced()
    {
        Assert.Contains("netdump propagate", Assert.Throws<ClientException>(() => HostKey.Open(_host.Files)).Message);
        _host.Write(HostKey.FilePath, "not a key");
        Assert.Contains(HostKey.FilePath, Assert.Throws<ClientException>(Ensure).Message);
        Assert.Equal("not a key", File.ReadAllText(_host.Root + HostKey.FilePath));
        _host.Write(HostKey.FilePath, new byte[1 << 20]);
        Assert.Throws<IOException>(Ensure);
    }

    /// <summary>All that is ever done with the key: made, written, read, a leaf signed, a server asked, a signature for ssh. A dump shows freed memory too.</summary>
    [Fact]
    public void No_copy_of_the_private_key_stays_in_memory()
    {
        if (IsDoneAlone()) return;
        Ensure();
        OwnMemory memory;
        using (ECDsa key = HostKey.Open(_host.Files))
        {
            memory = new OwnMemory(key);
            Assert.NotEmpty(memory.Find()); // the search finds what is there
            using var server = new TlsServer(_ => "HTTP/1.1 200 OK\r\n\r\n{}"u8.ToArray());
            Assert.Equal(200, SecureCall.Ask(new IPEndPoint(IPAddress.Loopback, server.Port), server.Key, key, "GET", "/", default, TimeSpan.FromSeconds(20)).Status);
            using CaptureIdentity identity = CaptureIdentity.Make(key, Guid.NewGuid());
            Assert.NotEmpty(identity.Certificate);
            using var agent = new KeyAgent(key);
            _ = agent.Answer([11]);
        }
        Ensure();
        List<string> found = memory.Find();
        for (var begun = Stopwatch.StartNew(); found.Count > 0 && begun.Elapsed < TimeSpan.FromSeconds(5); found = memory.Find())
        {
            // Another thread may still be on its way out of the connection, which holds the key until it is collected.
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    /// <summary>Copies that libraries left: in the collector's heap and outside, forwards and backwards.</summary>
    [Fact]
    public unsafe void What_was_left_of_the_key_is_found_and_overwritten_and_nothing_else()
    {
        if (IsDoneAlone()) return;
        Ensure();
        OwnMemory memory;
        byte[] managed = GC.AllocateArray<byte>(100, pinned: true);
        using var native = new SecretBytes(3 << 20);
        using (ECDsa key = HostKey.Open(_host.Files))
        {
            memory = new OwnMemory(key);
            byte[] number = key.ExportParameters(includePrivateParameters: true).D!;
            number.CopyTo(managed, 7);
            number.CopyTo(native.Room[((1 << 20) - 5)..]);
            number.AsSpan().Reverse();
            number.CopyTo(native.Room[((2 << 20) + 9)..]);
            CryptographicOperations.ZeroMemory(number);
        }
        managed[6] = managed[39] = 1;
        Assert.True(memory.Find().Count >= 3);
        WipingHeap.Settle();
        Assert.Empty(memory.Find());
        Assert.Equal((1, 1, 2), (managed[6], managed[39], managed.Sum(b => b)));
        Assert.False(native.Room.ContainsAnyExcept((byte)0));
    }

    /// <summary>
    /// Runs the calling test in a process of its own, as the program runs: its C library has to know from the start that it is to wipe what is freed, and
    /// no other test may have a key open meanwhile.
    /// </summary>
    /// <returns>False in that process.</returns>
    private static bool IsDoneAlone([System.Runtime.CompilerServices.CallerMemberName] string test = "")
    {
        if (Environment.GetEnvironmentVariable(WipingHeap.Variable) is not null) return false;
        // The tests are a program of their own, or dotnet runs them.
        string[] tests = Path.GetFileName(Environment.ProcessPath!) == "dotnet" ? [typeof(HostKeyTests).Assembly.Location] : [];
        var start = new ProcessStartInfo(Environment.ProcessPath!, [.. tests, "-method", $"*.{test}"]) { RedirectStandardOutput = true, UseShellExecute = false };
        start.Environment[WipingHeap.Variable] = WipingHeap.Tunables;
        using Process alone = Process.Start(start)!;
        string said = alone.StandardOutput.ReadToEnd();
        alone.WaitForExit();
        Assert.True(alone.ExitCode == 0, said);
        Assert.Contains("Total: 1,", said);
        return true;
    }

    public void Dispose() => _host.Dispose();
}
