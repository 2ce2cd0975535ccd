using System.Security.Cryptography;
using Netdump.Client.Configuration;
using Netdump.Client.Trust;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Tests.Trust;

/// <summary>What an ssh that goes wrong, or a server that lies, is worth. With the real ssh: tests/Netdump.EndToEnd.</summary>
[Collection("console")] // it changes PATH
public sealed class SshEnrolmentTests : IDisposable
{
    private const string Pin = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    private readonly string _folder = Directory.CreateTempSubdirectory("netdump-ssh-").FullName;
    private readonly string? _path = Environment.GetEnvironmentVariable("PATH");
    private readonly SshPublicKey _key;

    public SshEnrolmentTests()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        _key = SshPublicKey.Of(key, "web-17");
    }

    private KeyFingerprint Enrol(string script, params string[] options)
    {
        string ssh = Path.Combine(_folder, "ssh");
        File.WriteAllText(ssh, $"#!/bin/sh\necho \"$@\" > {_folder}/arguments\n{script}\n");
        File.SetUnixFileMode(ssh, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Environment.SetEnvironmentVariable("PATH", $"{_folder}:{_path}");
        return new SshEnrolment(SshEnrolment.OptionsOf(new ClientConfiguration { SshPort = 2222, SshOptions = ["-4"] }, options)).Enrol("netdump", "dump.example", _key);
    }

    [Fact]
    public void The_key_goes_in_and_the_fingerprint_comes_out_whatever_a_login_script_prints_before()
    {
        Assert.Equal(Pin, Enrol($"cat > {_folder}/got; echo welcome; echo '{Pin}'; echo", "Compression=yes").ToString());
        Assert.Equal(_key + "\n", File.ReadAllText(_folder + "/got"));
        Assert.Equal("-p 2222 -4 -o Compression=yes -T -- netdump@dump.example netdump-server enrol -\n", File.ReadAllText(_folder + "/arguments"));
    }

    [Theory]
    [InlineData("exit 255", "ssh netdump@dump.example failed")]
    [InlineData("exit 127", "dump.example has no netdump-server")]
    [InlineData("cat > /dev/null; exit 1", "did not enrol this host's key (exit code 1)")]
    [InlineData("cat > /dev/null", "did not answer with the fingerprint")]
    [InlineData("cat > /dev/null; echo SHA256:short", "did not answer with the fingerprint")]
    public void A_failure_says_whose_it_is(string script, string message) => Assert.Contains(message, Assert.Throws<ClientException>(() => Enrol(script)).Message);

    [Fact]
    public void A_long_answer_costs_no_memory_and_its_last_line_counts() =>
        Assert.Equal(Pin, Enrol($"cat > /dev/null; head -c 30000000 /dev/zero | tr '\\0' x; echo; echo '{Pin}'").ToString());

    [Fact]
    public void Without_ssh_the_other_way_is_named()
    {
        Environment.SetEnvironmentVariable("PATH", _folder);
        string message = Assert.Throws<ClientException>(() => new SshEnrolment([]).Enrol("netdump", "dump.example", _key)).Message;
        Assert.Contains("ssh is not installed here", message);
        Assert.Contains("--token", message);
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("PATH", _path);
        Directory.Delete(_folder, recursive: true);
    }
}
