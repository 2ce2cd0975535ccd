using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using Netdump.Client.Configuration;
using Netdump.Client.Linux;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Trust;

/// <summary>
/// Enrols this host's key by the real ssh: it asks for whatever it wants on the terminal (or by SSH_ASKPASS), the server's key and the password of
/// the server's user among it; its own input and output carry the key there and the fingerprint back.
/// </summary>
/// <param name="options">Words for ssh before the destination.</param>
internal sealed class SshEnrolment(IReadOnlyList<string> options)
{
    /// <summary>What is run on the server.</summary>
    public const string RemoteCommand = "netdump-server enrol -";

    private const int Failed = 255; // ssh(1): an error of ssh itself
    private const int NotExecutable = 126, NotFound = 127; // of the shell there
    private const int Kept = 4 << 10; // the end of the answer: more than a line with a fingerprint

    /// <summary>The words for ssh by the configuration and the command line.</summary>
    public static IReadOnlyList<string> OptionsOf(ClientConfiguration configuration, IEnumerable<string> more) =>
    [
        .. configuration.SshPort is { } port ? ["-p", $"{port}"] : (string[])[],
        .. configuration.SshOptions,
        .. more.SelectMany(o => new[] { "-o", o }),
    ];

    /// <summary>Enrols the key.</summary>
    /// <param name="user">The server's user.</param>
    /// <param name="server">Name or address.</param>
    /// <param name="key">The key; its comment is the host's name.</param>
    /// <returns>Fingerprint of the server's key.</returns>
    /// <exception cref="ClientException">It did not work: why, and what to do.</exception>
    public KeyFingerprint Enrol(string user, string server, SshPublicKey key)
    {
        (int exit, string answer) = Run(user, server, RemoteCommand, key + "\n");
        if (exit == Failed) throw new ClientException($"ssh {user}@{server} failed: what it said stands above", "put that right and run netdump propagate again; SSH_PORT and SSHOPTIONS in the configuration are for ssh");
        if (exit is NotFound or NotExecutable) throw new ClientException($"{server} has no netdump-server that its user {user} can run (exit code {exit})", "install netdump-server there");
        if (exit != 0) throw new ClientException($"netdump-server on {server} did not enrol this host's key (exit code {exit}): what it said stands above", "see netdump-server hosts there; another name is chosen by --name");
        string last = answer.AsSpan().TrimEnd().ToString();
        last = last[(last.LastIndexOf('\n') + 1)..].Trim();
        return KeyFingerprint.TryParse(last, out KeyFingerprint fingerprint)
            ? fingerprint : throw new ClientException($"{server} did not answer with the fingerprint of its key", "is its netdump-server as new as this netdump?");
    }

    /// <summary>Runs ssh; what it writes to the error output goes where ours goes.</summary>
    /// <param name="user">The server's user.</param>
    /// <param name="server">Name or address.</param>
    /// <param name="command">What is run there.</param>
    /// <param name="input">Its input.</param>
    /// <param name="isQuiet">What ssh complains of goes nowhere.</param>
    /// <returns>Exit code, and the end of what came back.</returns>
    internal (int Exit, string Answer) Run(string user, string server, string command, string input, bool isQuiet = false)
    {
        var start = new ProcessStartInfo("ssh") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = isQuiet, UseShellExecute = false };
        foreach (string word in options) start.ArgumentList.Add(word);
        start.ArgumentList.Add("-T");
        start.ArgumentList.Add("--"); // what follows is no option, whatever it looks like
        start.ArgumentList.Add($"{user}@{server}");
        start.ArgumentList.Add(command);
        Process ssh;
        try
        {
            ssh = Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new ClientException(e.NativeErrorCode == Errno.NotFound ? "ssh is not installed here" : $"ssh cannot be started: {e.Message}",
                "install openssh-client; or without ssh: netdump-server enrol --token on the server, then netdump propagate --token CODE@SHA256:… here", e);
        }
        using (ssh)
        {
            try
            {
                ssh.StandardInput.Write(input);
                ssh.StandardInput.Close();
            }
            catch (IOException)
            {
                // It ended before it took the key: its exit code says why.
            }
            if (isQuiet) ssh.BeginErrorReadLine(); // read and dropped: a full pipe would hold it up
            string answer = End(ssh.StandardOutput.BaseStream);
            ssh.WaitForExit();
            return (ssh.ExitCode, answer);
        }
    }

    /// <summary>The last bytes of a stream, whose length is the server's to choose.</summary>
    private static string End(Stream stream)
    {
        byte[] buffer = new byte[2 * Kept];
        int length = 0;
        for (int got; (got = stream.Read(buffer, length, buffer.Length - length)) > 0;)
        {
            length += got;
            if (length < buffer.Length) continue;
            buffer.AsSpan(length - Kept).CopyTo(buffer);
            length = Kept;
        }
        return Encoding.ASCII.GetString(buffer, 0, length);
    }
}
