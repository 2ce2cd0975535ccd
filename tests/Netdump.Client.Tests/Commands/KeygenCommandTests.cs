using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Tests.Commands;

[Collection("console")]
public sealed class KeygenCommandTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("netdump-keygen").FullName;

    [Fact]
    public void AKeyIsMadeThatSshKeygenReadsAndThatIsNeverWrittenOver()
    {
        string key = Path.Combine(_directory, "key");
        (int Exit, string Output, string Error) run = CapturedRun.Run("keygen", "--key", key, "--name", "web-17");
        Assert.Equal((0, ""), (run.Exit, run.Error));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(key));
        string half = File.ReadAllText(key + ".pub").TrimEnd();
        Assert.Equal(half, SshKeygen("-y", "-f", key));
        Assert.EndsWith(" web-17", half, StringComparison.Ordinal);
        Assert.True(SshPublicKey.TryParse(half, out SshPublicKey? read));
        Assert.Equal($"made {key} and {key}.pub, {read.Fingerprint}\nnext, on the server: netdump-server enrol key.pub\n", run.Output);

        byte[] before = File.ReadAllBytes(key);
        foreach (string there in (string[])[key, key + ".pub"])
        {
            run = CapturedRun.Run("keygen", "--key", key);
            Assert.Equal((1, ""), (run.Exit, run.Output));
            Assert.Contains("exists, and a key is never written over; give another name, or remove it", run.Error, StringComparison.Ordinal);
            Assert.Equal(before, File.ReadAllBytes(there == key ? key : key + ".old"));
            if (there == key) File.Move(key, key + ".old");
        }
        Assert.False(File.Exists(key));
    }

    [Fact]
    public void ForCurlThereIsTheSameKeyInPem()
    {
        string key = Path.Combine(_directory, "key");
        string pem = Path.Combine(_directory, "pem");
        (int Exit, string Output, string Error) run = CapturedRun.Run("keygen", "--key", key, "--pem", pem, "--json");
        Assert.Equal((0, ""), (run.Exit, run.Error));
        JsonElement made = JsonDocument.Parse(run.Output).RootElement;
        Assert.Equal(Path.Combine(pem, "cert.pem"), made.GetProperty("pem_certificate").GetString());
        using X509Certificate2 certificate = X509Certificate2.CreateFromPemFile(Path.Combine(pem, "cert.pem"), Path.Combine(pem, "key.pem"));
        Assert.True(HostCertificate.TryRead(certificate.RawData, out HostCertificate? read));
        Assert.Equal(made.GetProperty("fingerprint").GetString(), read.Key.Fingerprint.ToString());
        Assert.True(OpenSshKeyFile.TryRead(File.ReadAllBytes(key), out ECDsa? same));
        Assert.Equal(read.Key.Fingerprint, KeyFingerprint.Of(same));
        same.Dispose();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(pem, "key.pem")));
        run = CapturedRun.Run("keygen", "--key", key + "2", "--pem", pem);
        Assert.Equal(1, run.Exit);
        Assert.False(File.Exists(key + "2"));
    }

    [Fact]
    public void ADirectoryThatIsNotThereIsOneLine()
    {
        (int Exit, string Output, string Error) run = CapturedRun.Run("keygen", "--key", Path.Combine(_directory, "none", "key"));
        Assert.Equal(1, run.Exit);
        Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static string SshKeygen(params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("ssh-keygen", arguments) { RedirectStandardOutput = true, UseShellExecute = false })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return output.TrimEnd();
    }
}
