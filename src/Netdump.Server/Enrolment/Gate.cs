using System.Net;
using Netdump.Protocols.Keys;
using Netdump.Server.Store;

namespace Netdump.Server.Enrolment;

/// <summary>
/// What an enrolled key reaches by ssh: this program, whatever it asks for. It answers <c>fingerprint</c> and <c>magic DIGITS</c>, and refuses the
/// rest with one line. It reads no input, starts nothing, and of what the peer says only the command's text.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="time">Wall clock.</param>
internal sealed class Gate(CrashStore store, TimeProvider time)
{
    private const string Answers = "an enrolled key is for `fingerprint` and `magic DIGITS` alone";
    private const int LongestAuthentication = 64 * 1024;

    /// <summary>Answers one request.</summary>
    /// <param name="command">SSH_ORIGINAL_COMMAND: what the peer asked for; null when it asked for a shell.</param>
    /// <param name="connection">SSH_CONNECTION: the peer's address and port, ours.</param>
    /// <param name="authentication">SSH_USER_AUTH: a file that says by which key the peer came, when sshd is set to tell (ExposeAuthInfo).</param>
    /// <returns>What to print.</returns>
    /// <exception cref="GateException">It is refused.</exception>
    /// <exception cref="StoreException">The store refuses.</exception>
    public string Answer(string? command, string? connection, string? authentication)
    {
        if (authentication is not null) Admit(authentication);
        if (string.IsNullOrEmpty(command)) throw new GateException($"no shell here: {Answers}");
        if (command == "fingerprint")
        {
            using ServerIdentity identity = ServerIdentity.Load(store);
            return identity.Fingerprint.ToString();
        }

        const string Magic = "magic ";
        if (!command.StartsWith(Magic, StringComparison.Ordinal)) throw new GateException($"refused: {Answers}");
        if (!MagicFiles.TryParse(command.AsSpan(Magic.Length), out ulong magic) || command.Length != Magic.Length + 16)
            throw new GateException("refused: a magic has 16 hexadecimal digits");
        if (!TryReadPeer(connection, out IPAddress? peer)) throw new GateException("refused: sshd does not say where this connection comes from");
        new MagicFiles(store).Deposit(peer, magic);
        return $"magic of {peer} is kept";
    }

    /// <summary>The address in SSH_CONNECTION.</summary>
    public static bool TryReadPeer(string? connection, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out IPAddress? peer) =>
        IPAddress.TryParse(connection.AsSpan(0, Math.Max(connection?.IndexOf(' ') ?? 0, 0)), out peer);

    /// <summary>A key that was revoked while its connection is open opens nothing more on it.</summary>
    private void Admit(string authentication)
    {
        var hosts = new EnrolledHosts(store, time);
        foreach (string line in ReadLines(authentication))
        {
            const string Method = "publickey ";
            if (line.StartsWith(Method, StringComparison.Ordinal) && SshPublicKey.TryParse(line.AsSpan(Method.Length), out SshPublicKey? key)
                && hosts.TryFind(key.Fingerprint, out _)) return;
        }

        throw new GateException("refused: this key is not enrolled any more: netdump propagate");
    }

    private static string[] ReadLines(string path)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (file.Length > LongestAuthentication) return [];
            using StreamReader reader = new(file);
            return reader.ReadToEnd().Split('\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
