using Microsoft.Win32.SafeHandles;

namespace Netdump.Server.Store;

/// <summary>
/// The directory of one crash. What is written here survives a power cut once the call returns: files are synced before
/// they get their final name, and the directory after.
/// </summary>
public sealed class CrashDirectory
{
    /// <summary>A directory that exists (<see cref="CrashStore.Create"/> makes new ones).</summary>
    public CrashDirectory(string path) => Path = System.IO.Path.GetFullPath(path);

    /// <summary>Absolute path.</summary>
    public string Path { get; }

    /// <summary>Last part of the path: <c>address-yyyy-MM-dd-HH:mm</c>, perhaps with <c>-2</c>.</summary>
    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>Path of a file in this directory.</summary>
    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Makes a new file (mode 0600), unbuffered; throws <see cref="IOException"/> if the name is taken.</summary>
    public FileStream CreateFile(string name) => new(File(name), CrashStore.NewFile());

    /// <summary>
    /// Gives a finished file its final name: syncs it, renames it without replacing anything, syncs the directory.
    /// The caller may still hold it open. Throws <see cref="IOException"/> if <paramref name="to"/> exists.
    /// </summary>
    public void Complete(string from, string to)
    {
        using (SafeFileHandle file = System.IO.File.OpenHandle(
                   File(from), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete))
            RandomAccess.FlushToDisk(file);
        FileCalls.RenameToNew(File(from), File(to));
        Sync();
    }

    /// <summary>
    /// Writes a whole small file (log, .session) so that a reader and a power cut see either the old or the new one:
    /// a new file beside it, synced, renamed over it, directory synced.
    /// </summary>
    public void Replace(string name, ReadOnlySpan<byte> content)
    {
        string fresh = File($".{name}.new");
        System.IO.File.Delete(fresh);
        try
        {
            using (FileStream file = new(fresh, CrashStore.NewFile()))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }

            System.IO.File.Move(fresh, File(name), overwrite: true);
        }
        catch
        {
            // Half a file would only take what a full disk has left.
            System.IO.File.Delete(fresh);
            throw;
        }

        Sync();
    }

    /// <summary>Removes a file if it is there.</summary>
    public void Delete(string name) => System.IO.File.Delete(File(name));

    /// <summary>Makes the names in this directory durable.</summary>
    public void Sync() => FileCalls.SyncDirectory(Path);
}
