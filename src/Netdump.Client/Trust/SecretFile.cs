using Microsoft.Win32.SafeHandles;
using Netdump.Client.Linux;

namespace Netdump.Client.Trust;

/// <summary>
/// Small files whose content must not stay in memory: a dump holds the page cache, and free pages with what they held last. So they are read and
/// written past the page cache (O_DIRECT). A file system without that (tmpfs: there the file itself is memory) is told to drop the pages
/// (POSIX_FADV_DONTNEED), which frees them and wipes nothing.
/// </summary>
internal static class SecretFile
{
    /// <summary>Most bytes of a secret file.</summary>
    public const int Limit = 16 << 10;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Reads a file.</summary>
    /// <exception cref="LinuxException">It is absent or unreadable.</exception>
    /// <exception cref="IOException">It is too large.</exception>
    public static SecretBytes Read(string path)
    {
        using SafeFileHandle file = Open(path, OpenFlags.ReadOnly, out bool isDirect);
        long length = RandomAccess.GetLength(file);
        if (length > Limit) throw new IOException($"{path} has {length} bytes: no key is that long");
        var secret = new SecretBytes(Limit);
        try
        {
            // The end of the file ends a direct read at a place from which another one could not begin: it is not asked for.
            while (secret.Length < length)
            {
                int got = Descriptors.Read(file, secret.Room[secret.Length..]);
                if (got < 0) throw new LinuxException($"read {path}", -got);
                if (got == 0) break;
                secret.Length += got;
            }
            if (!isDirect) Descriptors.DropCached(file);
            return secret;
        }
        catch
        {
            secret.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Writes a file, 0600, in one step: it is there whole or not at all, and on the disk. It is filled up to whole blocks with newlines, which every
    /// reader of key files ignores: only whole blocks can go past the page cache.
    /// </summary>
    /// <param name="path">The file; what it held is replaced.</param>
    /// <param name="content">What it is to hold; filled up by this call.</param>
    /// <exception cref="IOException">The kernel refused.</exception>
    public static void Write(string path, SecretBytes content)
    {
        int whole = (content.Length + SecretBytes.Alignment - 1) / SecretBytes.Alignment * SecretBytes.Alignment;
        int had = content.Length;
        content.Length = whole;
        content.Span[had..].Fill((byte)'\n');
        string next = path + ".new";
        File.Delete(next);
        using (SafeFileHandle file = Open(next, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.MustNotExist, out bool isDirect))
        {
            int done = Descriptors.Write(file, content.Span);
            if (done < 0) throw new LinuxException($"write {next}", -done);
            if (done != whole) throw new LinuxException($"write {next}", Errno.NoSpace);
            RandomAccess.FlushToDisk(file);
            if (!isDirect) Descriptors.DropCached(file);
        }
        PublicFile.Replace(next, path);
    }

    private static SafeFileHandle Open(string path, OpenFlags flags, out bool isDirect)
    {
        isDirect = true;
        try
        {
            return Descriptors.Open(path, flags | Descriptors.Direct, OwnerOnly);
        }
        catch (LinuxException e) when (e.Error == Errno.Invalid)
        {
            // The file was made before the flag was refused (open(2)).
            if (flags.HasFlag(OpenFlags.Create)) File.Delete(path);
            isDirect = false;
            return Descriptors.Open(path, flags, OwnerOnly);
        }
    }
}
