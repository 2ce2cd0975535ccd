using System.Globalization;
using System.Net;
using Microsoft.Win32.SafeHandles;

namespace Netdump.Server.Store;

/// <summary>
/// The console files of one engine thread: appends to any number of files through a bounded number of open ones.
/// Lane-owned, not thread-safe.
/// </summary>
public sealed class ConsoleFiles
{
    /// <summary>Most files kept open; fewer where the process may open few: see <see cref="Room"/>.</summary>
    public const int MaximumOpen = 2048;

    private const int LeastOpen = 64;
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly int Room = ReadRoom();

    /// <summary>Most bytes that all hosts together hold while the disk refuses.</summary>
    public const long MaximumHeld = 64 * 1024 * 1024;

    private readonly CrashStore _store;
    private TimeSpan _wallReadAt = TimeSpan.MinValue;
    private long _wall;
    private readonly Dictionary<string, LinkedListNode<ConsoleFile>> _open = [];
    private readonly LinkedList<ConsoleFile> _byUse = new();

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

    /// <summary>Wall clock in Unix microseconds, read once for all records of one batch: those with the same monotonic time.</summary>
    internal long WallAt(TimeSpan now)
    {
        if (now != _wallReadAt) _wall = (Time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        _wallReadAt = now;
        return _wall;
    }

    /// <summary>Memory of all hosts that holds what is not written yet.</summary>
    internal long Held { get; set; }

    /// <summary>Whether a host has a console, or may get one.</summary>
    internal bool MayKeep(IPAddress address, string machine = "") => _store.MayHaveConsole(address, machine);

    /// <summary>Path of the directory of a host.</summary>
    internal string PathOf(IPAddress address, string machine) => _store.ConsolePath(address, machine);

    /// <summary>Makes the directory of a host if it is missing (mode 0700).</summary>
    internal void MakeDirectory(string path) => _store.MakeConsole(path);

    /// <summary>Where a file ends, made if missing (mode 0600), and its directory with it. Throws <see cref="IOException"/>.</summary>
    internal FileEnd EndOf(string path)
    {
        long length = OpenInPlace(path, out ConsoleFile file);
        return new FileEnd(file.Handle, length);
    }

    /// <summary>Appends bytes to a file, made if missing like in <see cref="EndOf"/>. Throws <see cref="IOException"/>.</summary>
    internal void Append(string path, ReadOnlySpan<byte> bytes) => Append(EndOf(path), bytes);

    /// <summary>Appends bytes to a file whose end was asked for just now; returns the new end. Throws <see cref="IOException"/>.</summary>
    internal static FileEnd Append(FileEnd end, ReadOnlySpan<byte> bytes)
    {
        try
        {
            RandomAccess.Write(end.File, bytes, end.Length);
        }
        catch (IOException)
        {
            // A full disk may have taken a part: half an entry would hide all that follow it.
            RandomAccess.SetLength(end.File, end.Length);
            throw;
        }

        return end with { Length = end.Length + bytes.Length };
    }

    /// <summary>Closes a file that is about to be renamed or deleted.</summary>
    internal void Close(string path)
    {
        if (!_open.Remove(path, out LinkedListNode<ConsoleFile>? node)) return;
        _byUse.Remove(node);
        node.Value.Handle.Dispose();
    }

    /// <summary>Closes all files.</summary>
    internal void CloseAll()
    {
        foreach (ConsoleFile file in _byUse) file.Handle.Dispose();
        _byUse.Clear();
        _open.Clear();
    }

    private long OpenInPlace(string path, out ConsoleFile file)
    {
        file = Open(path);
        if (IsInPlace(file, out long length)) return length;
        // An operator may have cleaned up: what is written to a file without a name is lost.
        Close(path);
        file = Open(path);
        _ = IsInPlace(file, out length);
        return length;
    }

    /// <summary>Whether the file still has its name: whether it was deleted at each call, whether it was renamed once a second.</summary>
    private bool IsInPlace(ConsoleFile file, out long length)
    {
        length = FileCalls.LengthOf(file.Handle, out bool isDeleted);
        if (isDeleted) return false;
        if (Time.GetElapsedTime(file.LookedAt) < LookEvery) return true;
        file.LookedAt = Time.GetTimestamp();
        return File.Exists(file.Path);
    }

    private ConsoleFile Open(string path)
    {
        if (_open.TryGetValue(path, out LinkedListNode<ConsoleFile>? node))
        {
            _byUse.Remove(node);
            _byUse.AddFirst(node);
            return node.Value;
        }

        if (_open.Count >= Room) Close(_byUse.Last!.Value.Path);
        ConsoleFile file = new(path, OpenHandle(path)) { LookedAt = Time.GetTimestamp() };
        _open.Add(path, _byUse.AddFirst(file));
        return file;
    }

    private SafeFileHandle OpenHandle(string path)
    {
        try
        {
            return FileCalls.OpenToWrite(path);
        }
        catch (DirectoryNotFoundException)
        {
            MakeDirectory(Path.GetDirectoryName(path)!);
            return FileCalls.OpenToWrite(path);
        }
    }

    /// <summary>An eighth of the files that the process may open, for each of up to four engine threads.</summary>
    private static int ReadRoom()
    {
        const string Limit = "Max open files";
        foreach (string line in File.ReadLines("/proc/self/limits"))
        {
            if (!line.StartsWith(Limit, StringComparison.Ordinal)) continue;
            string soft = line[Limit.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
            return long.TryParse(soft, CultureInfo.InvariantCulture, out long files) ? (int)Math.Clamp(files / 8, LeastOpen, MaximumOpen) : MaximumOpen;
        }

        return LeastOpen;
    }

    /// <summary>An open file and its length in bytes: good until any other file is asked for.</summary>
    internal readonly record struct FileEnd(SafeFileHandle File, long Length);

    private sealed class ConsoleFile(string path, SafeFileHandle handle)
    {
        public string Path { get; } = path;

        public SafeFileHandle Handle { get; } = handle;

        /// <summary>When it was last seen to have its name.</summary>
        public long LookedAt { get; set; }
    }
}
