using System.Security.Cryptography;
using Netdump.Client.Linux;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Trust;

/// <summary>A private key file that somebody named.</summary>
internal static class KeyFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Reads a key; the caller disposes it, which wipes it.</summary>
    /// <exception cref="ClientException">There is none, or it is none of ours; with what to do.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static ECDsa Read(string path)
    {
        SecretBytes text;
        try
        {
            text = SecretFile.Read(path);
        }
        catch (LinuxException e) when (e.Error == Errno.NotFound)
        {
            throw new ClientException($"there is no key {path}", path == HostKey.FilePath ? "netdump propagate makes this host's, or give another with --key" : "netdump keygen makes one", e);
        }
        using (text)
            return OpenSshKeyFile.TryRead(text.Span, out ECDsa? key) ? key : throw new ClientException($"{path} {OpenSshKeyFile.Explain(text.Span)}");
    }

    /// <summary>Writes a key as OpenSSH does: the private half, 0600, and the public one beside it in <c>.pub</c>.</summary>
    /// <param name="path">The file; must not exist, nor must the other.</param>
    /// <param name="key">The key.</param>
    /// <param name="comment">What stands behind it.</param>
    /// <exception cref="ClientException">A file exists.</exception>
    /// <exception cref="IOException">They cannot be written; also <see cref="UnauthorizedAccessException"/>.</exception>
    public static void Write(string path, ECDsa key, string comment)
    {
        using SecretBytes text = new(SecretFile.Limit);
        text.Length = OpenSshKeyFile.Write(key, comment, text.Room);
        string half = path + ".pub";
        if (Path.Exists(half)) throw Exists(half);
        WriteNew(path, text.Span, OwnerOnly);
        WriteNew(half, System.Text.Encoding.UTF8.GetBytes($"{SshPublicKey.Of(key, comment)}\n"), OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
    }

    /// <summary>Writes a file that must not exist.</summary>
    /// <exception cref="ClientException">It exists.</exception>
    /// <exception cref="IOException">It cannot be written; also <see cref="UnauthorizedAccessException"/>.</exception>
    public static void WriteNew(string path, ReadOnlySpan<byte> content, UnixFileMode mode = OwnerOnly)
    {
        if (Path.Exists(path)) throw Exists(path);
        using FileStream file = new(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode, BufferSize = 0 });
        file.Write(content);
        file.Flush(flushToDisk: true);
    }

    private static ClientException Exists(string path) => new($"{path} exists, and a key is never written over", "give another name, or remove it");
}
