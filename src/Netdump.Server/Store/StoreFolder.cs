using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Netdump.Server.Store;

/// <summary>
/// A directory of the store that is held open. Names are looked up in the directory itself and never through symbolic links, so what is read and
/// written stays in the store whatever somebody does to the paths meanwhile. Files have mode 0600. Errors are <see cref="StoreException"/>, one line.
/// </summary>
internal sealed class StoreFolder : IDisposable
{
    private const UnixFileMode WritableByOthers = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    private readonly SafeFileHandle _directory;

    private StoreFolder(SafeFileHandle directory, string path)
    {
        _directory = directory;
        Path = path;
    }

    /// <summary>Path by which it was opened, for messages.</summary>
    public string Path { get; }

    /// <summary>Opens the store's own directory, made if missing (mode 0700). The operator's path may go through links.</summary>
    public static StoreFolder OpenRoot(CrashStore store)
    {
        try
        {
            Directory.CreateDirectory(store.Root, CrashStore.DirectoryMode);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"cannot make the store {store.Root}: {(e is UnauthorizedAccessException ? "permission denied" : e.Message.TrimEnd('.'))}", e);
        }

        return TryOpenRoot(store) ?? throw Missing(store.Root);
    }

    /// <summary>Opens the store's own directory; null if there is none.</summary>
    public static StoreFolder? TryOpenRoot(CrashStore store)
    {
        SafeFileHandle? directory = FolderCalls.OpenDirectory(null, store.Root, followLink: true);
        return directory is null ? null : new StoreFolder(directory, store.Root);
    }

    /// <summary>Opens a directory in this one; null if there is none.</summary>
    public StoreFolder? TryOpen(string name)
    {
        SafeFileHandle? directory = FolderCalls.OpenDirectory(_directory, name, followLink: false, PathOf(name));
        return directory is null ? null : new StoreFolder(directory, PathOf(name));
    }

    /// <summary>Opens a directory in this one, made if missing (mode 0700). One that others may write to is taken from them.</summary>
    public StoreFolder OpenOrMake(string name)
    {
        if (FolderCalls.TryMakeDirectory(_directory, name, CrashStore.DirectoryMode, PathOf(name))) FolderCalls.Sync(_directory, Path);
        StoreFolder folder = TryOpen(name) ?? throw Missing(PathOf(name));
        try
        {
            if ((folder.Mode & WritableByOthers) != UnixFileMode.None) FolderCalls.SetMode(folder._directory, CrashStore.DirectoryMode, folder.Path);
            return folder;
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Who may do what with the directory.</summary>
    public UnixFileMode Mode => FileStatus.Of(_directory, Path).Mode;

    /// <summary>User who owns the directory.</summary>
    public uint Owner => FileStatus.Of(_directory, Path).Owner;

    /// <summary>Group of the directory.</summary>
    public uint Group => FileStatus.Of(_directory, Path).Group;

    /// <summary>What a name stands for, itself even if it is a link; null when there is nothing.</summary>
    public FileStatus? StatusOf(string name) => FileStatus.TryOf(_directory, name, PathOf(name));

    /// <summary>Reads a whole file; null if there is none. Anything but a regular file of at most <paramref name="limit"/> bytes is an error.</summary>
    public byte[]? TryRead(string name, int limit) => TryRead(name, limit, out _);

    /// <summary>The same, and what the file was like when it was opened.</summary>
    public byte[]? TryRead(string name, int limit, out FileStatus status)
    {
        status = default;
        using SafeFileHandle? file = FolderCalls.TryOpenToRead(_directory, name, PathOf(name));
        if (file is null) return null;
        status = FileStatus.Of(file, PathOf(name));
        if (!status.IsFile) throw new StoreException($"{PathOf(name)} is no file");
        if (status.Size > limit) throw new StoreException($"{PathOf(name)} has more than {limit} bytes");
        byte[] bytes = new byte[status.Size];
        int length = 0;
        while (length < bytes.Length)
        {
            int read = RandomAccess.Read(file, bytes.AsSpan(length), length);
            if (read == 0) break; // cut off meanwhile
            length += read;
        }

        return length == bytes.Length ? bytes : bytes[..length];
    }

    /// <summary>Makes a file with this content, or leaves the one that is there: false. A reader and a power cut see all of it or nothing.</summary>
    public bool TryCreate(string name, ReadOnlySpan<byte> content)
    {
        string fresh = WriteTemporary(name, content);
        bool made = false;
        try
        {
            made = FolderCalls.TryRenameToNew(_directory, fresh, name, PathOf(name));
        }
        finally
        {
            if (!made) FolderCalls.Remove(_directory, fresh);
        }

        if (made) FolderCalls.Sync(_directory, Path);
        return made;
    }

    /// <summary>Puts a file with this content under a name, in place of what has it. A reader and a power cut see all of the old or of the new.</summary>
    public void Replace(string name, ReadOnlySpan<byte> content)
    {
        string fresh = WriteTemporary(name, content);
        try
        {
            FolderCalls.Rename(_directory, fresh, name, PathOf(name));
        }
        catch
        {
            FolderCalls.Remove(_directory, fresh);
            throw;
        }

        FolderCalls.Sync(_directory, Path);
    }

    /// <summary>Adds bytes to the end of a file, made if missing. On the disk when this returns.</summary>
    public void Append(string name, ReadOnlySpan<byte> content)
    {
        using SafeFileHandle file = FolderCalls.OpenToAppend(_directory, name, PathOf(name));
        RandomAccess.Write(file, content, 0); // at the end, as the file was opened for that
        RandomAccess.FlushToDisk(file);
    }

    /// <summary>
    /// Waits for the lock of a file (flock), made if missing and empty for ever; disposing what is returned gives it up. Between processes and between
    /// threads. An error when somebody has it for longer than <paramref name="limit"/>.
    /// </summary>
    public IDisposable Lock(string name, TimeSpan limit)
    {
        SafeFileHandle file = FolderCalls.OpenToLock(_directory, name, PathOf(name));
        try
        {
            if (FolderCalls.TryLock(file, limit)) return file;
            throw new StoreException($"another process has held {PathOf(name)} for {limit.TotalSeconds:0} s: end it (fuser -v {PathOf(name)}) and try again");
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    /// <summary>Path of a name in it, for messages.</summary>
    public string PathOf(string name) => System.IO.Path.Combine(Path, name);

    private static StoreException Missing(string path) => new($"cannot open {path}: it was removed just now");

    private string WriteTemporary(string name, ReadOnlySpan<byte> content)
    {
        // A name of its own: process ids are not, when containers share a store. Whoever is killed here leaves a file that nothing reads.
        string fresh = $".{name}.{RandomNumberGenerator.GetHexString(16, lowercase: true)}.new";
        try
        {
            using SafeFileHandle file = FolderCalls.CreateNew(_directory, fresh, PathOf(fresh));
            RandomAccess.Write(file, content, 0);
            RandomAccess.FlushToDisk(file);
        }
        catch
        {
            FolderCalls.Remove(_directory, fresh);
            throw;
        }

        return fresh;
    }
}
