using System.Net;

namespace Netdump.Server.Store;

/// <summary>
/// The console files of one engine thread: appends to any number of files through a bounded number of open ones.
/// Lane-owned, not thread-safe.
/// </summary>
public sealed class ConsoleFiles
{
    /// <summary>Files kept open.</summary>
    public const int MaximumOpen = 64;

    /// <summary>Most bytes that all hosts together hold while the disk refuses.</summary>
    public const long MaximumHeld = 64 * 1024 * 1024;

    private readonly CrashStore _store;
    private readonly Dictionary<string, LinkedListNode<FileStream>> _open = [];
    private readonly LinkedList<FileStream> _byUse = new();

    /// <summary>Console files of a store.</summary>
    public ConsoleFiles(CrashStore store, TimeProvider time, ILogger log)
    {
        _store = store;
        Time = time;
        Log = log;
    }

    /// <summary>Wall clock, local zone included.</summary>
    internal TimeProvider Time { get; }

    /// <summary>Where failures are told.</summary>
    internal ILogger Log { get; }

    /// <summary>Files open now.</summary>
    public int OpenCount => _open.Count;

    /// <summary>Memory of all hosts that holds what is not written yet.</summary>
    internal long Held { get; set; }

    /// <summary>Whether a host has a console, or may get one.</summary>
    internal bool MayKeep(IPAddress address, string machine = "") => _store.MayHaveConsole(address, machine);

    /// <summary>Path of the directory of a host.</summary>
    internal string PathOf(IPAddress address, string machine) => _store.ConsolePath(address, machine);

    /// <summary>Makes the directory of a host if it is missing (mode 0700).</summary>
    internal void MakeDirectory(string path) => _store.MakeConsole(path);

    /// <summary>Appends bytes to a file, made if missing (mode 0600). Throws <see cref="IOException"/>.</summary>
    internal void Append(string path, ReadOnlySpan<byte> bytes)
    {
        // An operator may have cleaned up: what is written to a file without a name is lost.
        if (!File.Exists(path)) Close(path);
        FileStream file = Open(path);
        long length = file.Length;
        try
        {
            file.Position = length;
            file.Write(bytes);
        }
        catch (IOException)
        {
            // A full disk may have taken a part: half an entry would hide all that follow it.
            file.SetLength(length);
            throw;
        }
    }

    /// <summary>Closes a file that is about to be renamed or deleted.</summary>
    internal void Close(string path)
    {
        if (!_open.Remove(path, out LinkedListNode<FileStream>? node)) return;
        _byUse.Remove(node);
        node.Value.Dispose();
    }

    /// <summary>Closes all files.</summary>
    internal void CloseAll()
    {
        foreach (FileStream file in _byUse) file.Dispose();
        _byUse.Clear();
        _open.Clear();
    }

    private FileStream Open(string path)
    {
        if (_open.TryGetValue(path, out LinkedListNode<FileStream>? node))
        {
            _byUse.Remove(node);
            _byUse.AddFirst(node);
            return node.Value;
        }

        if (_open.Count >= MaximumOpen) Close(_byUse.Last!.Value.Name);
        FileStream file = new(path, new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0,
            UnixCreateMode = CrashStore.FileMode,
        });
        _open.Add(path, _byUse.AddFirst(file));
        return file;
    }
}
