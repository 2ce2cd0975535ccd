using System.Security.Cryptography;
using Netdump.Client.Host;
using Netdump.Client.Linux;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Trust;

/// <summary>
/// The key that this host is enrolled with: <c>/etc/netdump/id_ecdsa</c> (0600, as OpenSSH writes it), its public half beside it in <c>.pub</c>, and in
/// <c>.machine-id</c> the machine it was made for: a disk that is copied to another machine brings the key along, and two hosts would pass for one.
/// </summary>
internal static class HostKey
{
    /// <summary>Where the private key lies.</summary>
    public const string FilePath = DirectoryPath + "/id_ecdsa";

    /// <summary>The folder of everything that concerns trust; readable, as <c>status</c> needs the public parts.</summary>
    public const string DirectoryPath = "/etc/netdump";

    private const string PublicPath = FilePath + ".pub";
    private const string MachinePath = FilePath + ".machine-id";

    /// <summary>Whether there is a private key.</summary>
    public static bool Exists(HostFiles host) => host.Exists(FilePath);

    /// <summary>The public half, for whoever asks; null when there is no key, or no readable public half.</summary>
    public static SshPublicKey? FindPublic(HostFiles host) =>
        Exists(host) && SshPublicKey.TryParse(host.Read(PublicPath), out SshPublicKey? key) ? key : null;

    /// <summary>The private key; the caller disposes it, which wipes it.</summary>
    /// <exception cref="ClientException">There is none, or it is no key of ours.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static ECDsa Open(HostFiles host)
    {
        SecretBytes text;
        try
        {
            text = SecretFile.Read(host.Map(FilePath));
        }
        catch (LinuxException e) when (e.Error == Errno.NotFound)
        {
            throw new ClientException("this host has no key", "netdump propagate", e);
        }
        using (text)
        {
            if (OpenSshKeyFile.TryRead(text.Span, out ECDsa? key))
            {
                KeyRemains.Remember(key);
                return key;
            }
            throw new ClientException($"{FilePath} is no ECDSA P-256 key without a passphrase, as OpenSSH writes it", "put it back from a backup, or remove it and run netdump propagate");
        }
    }

    /// <summary>The public half of the key; the key is made when there is none.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="name">What the host goes by: stands behind a new key.</param>
    /// <param name="say">Told what was made.</param>
    /// <exception cref="ClientException">The key there is no key of ours.</exception>
    /// <exception cref="IOException">A file cannot be read or written; also <see cref="UnauthorizedAccessException"/>.</exception>
    public static SshPublicKey Ensure(HostFiles host, string name, Action<string> say)
    {
        if (OtherMachine(host) is { } other)
        {
            say($"{FilePath} belongs to machine-id {other}, not to this machine: it is kept as {FilePath}.{other}, and a new one is made");
            foreach (string path in (string[])[FilePath, PublicPath, MachinePath])
                if (host.Exists(path)) File.Move(host.Map(path), host.Map($"{path.Replace(FilePath, $"{FilePath}.{other}", StringComparison.Ordinal)}"), overwrite: true);
        }
        if (Exists(host))
        {
            using ECDsa key = Open(host);
            SshPublicKey found = SshPublicKey.Of(key, name);
            if (FindPublic(host)?.Fingerprint == found.Fingerprint) return found;
            PublicFile.Write(host.Map(PublicPath), found + "\n");
            return found;
        }
        Directory.CreateDirectory(host.Map(DirectoryPath), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        using ECDsa made = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        KeyRemains.Remember(made);
        SshPublicKey half = SshPublicKey.Of(made, name);
        // The machine first: a key without it would be believed on any machine.
        if (MachineId(host) is { } machine) PublicFile.Write(host.Map(MachinePath), machine + "\n");
        PublicFile.Write(host.Map(PublicPath), half + "\n");
        using (var text = new SecretBytes(SecretFile.Limit))
        {
            text.Length = OpenSshKeyFile.Write(made, name, text.Room);
            SecretFile.Write(host.Map(FilePath), text);
        }
        say($"made this host's key: {FilePath}, {half.Fingerprint}");
        return half;
    }

    /// <summary>The machine that the key was made for when it is another one than this; else null, also when it is not known.</summary>
    public static string? OtherMachine(HostFiles host) =>
        Exists(host) && host.Read(MachinePath) is { Length: > 0 } noted && MachineId(host) is { } own && noted != own ? noted : null;

    // machine-id(5): 32 hexadecimal digits; "uninitialized" or nothing at all in an image that was not booted yet.
    private static string? MachineId(HostFiles host) =>
        (host.Read("/etc/machine-id") ?? host.Read("/var/lib/dbus/machine-id")) is { Length: 32 } id && id.All(char.IsAsciiHexDigit) ? id : null;
}
