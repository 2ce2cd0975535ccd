using System.Text;

namespace Netdump.Client.Image;

/// <summary>
/// Writes an initramfs archive in the kernel's "newc" cpio form (Documentation/driver-api/early-userspace/buffer-format.rst):
/// a header of 110 ASCII characters, the name with a NUL, the data, name and data each padded to 4 bytes; numbers are 8 hexadecimal digits.
/// Directories above an entry are made when they are missing. All times are zero, so that equal content gives an equal archive.
/// </summary>
public sealed class CpioWriter(Stream output)
{
    private const uint Directory = 0x4000, CharacterDevice = 0x2000, File = 0x8000, Link = 0xA000; // S_IFMT of stat(2)

    private readonly HashSet<string> _names = [];
    private uint _inode = 1;

    /// <summary>Bytes written so far.</summary>
    public long Length { get; private set; }

    /// <summary>True when an entry of that absolute path was written.</summary>
    public bool Contains(string path) => _names.Contains(path);

    /// <summary>Adds a directory; nothing happens when it is there.</summary>
    public void AddDirectory(string path, uint mode = 0x1ED /* 0755 */)
    {
        if (path is "" or "/" || _names.Contains(path)) return;
        Start(path, Directory | mode, 0);
    }

    /// <summary>Adds a regular file.</summary>
    /// <param name="path">Absolute path in the image.</param>
    /// <param name="content">All bytes of the file.</param>
    /// <param name="executable">Mode 0755, otherwise 0644.</param>
    /// <exception cref="ArgumentException">The path is in the archive already.</exception>
    public void AddFile(string path, ReadOnlySpan<byte> content, bool executable = false) => AddFile(path, content, executable ? 0x1EDu : 0x1A4u);

    /// <summary>Adds a regular file that only its owner, root, may read.</summary>
    /// <exception cref="ArgumentException">The path is in the archive already.</exception>
    public void AddSecretFile(string path, ReadOnlySpan<byte> content) => AddFile(path, content, 0x180u /* 0600 */);

    private void AddFile(string path, ReadOnlySpan<byte> content, uint mode)
    {
        Start(path, File | mode, (uint)content.Length);
        Write(content);
        Pad();
    }

    /// <summary>Adds a symbolic link.</summary>
    public void AddLink(string path, string target)
    {
        byte[] text = Encoding.UTF8.GetBytes(target);
        Start(path, Link | 0x1FF, (uint)text.Length);
        Write(text);
        Pad();
    }

    /// <summary>Adds a character device.</summary>
    public void AddCharacterDevice(string path, uint major, uint minor, uint mode = 0x180 /* 0600 */) =>
        Start(path, CharacterDevice | mode, 0, major, minor);

    /// <summary>Writes the entry that ends the archive.</summary>
    public void Finish() => Header("TRAILER!!!", 0, 0, 0, 0, 0);

    private void Start(string path, uint mode, uint size, uint major = 0, uint minor = 0)
    {
        if (!path.StartsWith('/') || path.EndsWith('/')) throw new ArgumentException($"'{path}' is not an absolute path", nameof(path));
        for (int slash = path.IndexOf('/', 1); slash > 0; slash = path.IndexOf('/', slash + 1)) AddDirectory(path[..slash]);
        if (!_names.Add(path)) throw new ArgumentException($"'{path}' is in the archive already", nameof(path));
        Header(path[1..], mode, size, _inode++, major, minor);
    }

    private void Header(string name, uint mode, uint size, uint inode, uint major, uint minor)
    {
        byte[] text = Encoding.UTF8.GetBytes(name);
        uint links = (mode & 0xF000) == Directory ? 2u : 1u;
        // magic ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        Write(Encoding.ASCII.GetBytes(
            $"070701{inode:x8}{mode:x8}{0:x8}{0:x8}{links:x8}{0:x8}{size:x8}{0:x8}{0:x8}{major:x8}{minor:x8}{text.Length + 1:x8}{0:x8}"));
        Write(text);
        Write([0]);
        Pad();
    }

    private void Pad()
    {
        ReadOnlySpan<byte> zeros = [0, 0, 0];
        Write(zeros[..(int)(-Length & 3)]);
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        output.Write(bytes);
        Length += bytes.Length;
    }
}
