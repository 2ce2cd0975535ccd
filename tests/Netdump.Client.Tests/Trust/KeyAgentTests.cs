using System.Diagnostics;
using System.Security.Cryptography;
using CsCheck;
using Netdump.Client.Trust;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Tests.Trust;

public sealed class KeyAgentTests : IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly string _folder = Directory.CreateTempSubdirectory("netdump-agent-test-").FullName;

    private (int Exit, string Said) SshAdd(KeyAgent agent, params string[] arguments)
    {
        var start = new ProcessStartInfo("ssh-add", arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["SSH_AUTH_SOCK"] = agent.Path;
        using Process process = Process.Start(start)!;
        string said = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, said);
    }

    [Fact]
    public void OpenSSH_lists_the_key_and_verifies_what_it_signs()
    {
        string half = Path.Combine(_folder, "key.pub"), other = Path.Combine(_folder, "other.pub");
        File.WriteAllText(half, SshPublicKey.Of(_key, "") + "\n");
        using ECDsa another = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        File.WriteAllText(other, SshPublicKey.Of(another, "") + "\n");
        string socket;
        using (var agent = new KeyAgent(_key))
        {
            socket = agent.Path;
            Assert.Equal(SshPublicKey.Of(_key, "").ToString(), SshAdd(agent, "-L").Said.Trim());
            for (int i = 0; i < 20; i++) // numbers with a high bit among them, and without
            {
                (int exit, string said) = SshAdd(agent, "-T", half);
                Assert.True(exit == 0, said);
            }
            Assert.NotEqual(0, SshAdd(agent, "-T", other).Exit);
            Assert.NotEqual(0, SshAdd(agent, "-D").Exit); // nothing can be taken away, or put in
        }
        Assert.False(Directory.Exists(Path.GetDirectoryName(socket)));
    }

    [Fact]
    public void Whatever_is_asked_is_answered()
    {
        using var agent = new KeyAgent(_key);
        Gen.Byte.Array[0, 200].Sample(bytes => Assert.NotEmpty(agent.Answer(bytes)));
        Gen.Byte.Array[0, 200].Sample(bytes => Assert.Equal([5], agent.Answer([13, .. bytes])));
    }

    public void Dispose()
    {
        _key.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
