using System.Diagnostics.CodeAnalysis;
using Netdump.Protocols.Keys;
using Netdump.Server.Store;

namespace Netdump.Server.Enrolment;

/// <summary>A host whose key is enrolled.</summary>
/// <param name="Name">What the host is called, by its enrolment and nothing else.</param>
/// <param name="Key">Its public key.</param>
public sealed record EnrolledHost(string Name, SshPublicKey Key);

/// <summary>
/// The enrolled hosts: those lines of <c>authorized_keys</c> and <c>authorized_keys2</c> in the store's <c>.ssh</c> that have our forced command.
/// Each question looks at both files first (two statx calls) and reads them again when they changed, so a revocation counts from the next question on.
/// What cannot be read enrols nobody. Thread-safe.
/// </summary>
public sealed class EnrolledHosts
{
    internal const string DirectoryName = ".ssh";
    internal const int LongestFile = 64 << 20;

    internal static readonly string[] FileNames = ["authorized_keys", "authorized_keys2"];

    // A file system's clock may stand still for some milliseconds: of a file that changed just now the next change may not show.
    private const long Young = 1_000_000_000;

    private readonly CrashStore _store;
    private readonly TimeProvider _time;
    private readonly string[] _paths;
    private readonly Lock _lock = new();
    private volatile View _view = View.Nothing;

    /// <summary>The enrolled hosts of a store. Touches no disk.</summary>
    /// <param name="store">The store.</param>
    /// <param name="time">Wall clock.</param>
    public EnrolledHosts(CrashStore store, TimeProvider time)
    {
        _store = store;
        _time = time;
        _paths = [.. FileNames.Select(name => Path.Combine(store.Root, DirectoryName, name))];
    }

    /// <summary>All of them, in the order of the files; a key that stands there twice counts once.</summary>
    public IReadOnlyList<EnrolledHost> All => Now().Hosts;

    /// <summary>Why the files, or one of them, cannot be read; null when they can.</summary>
    public string? Trouble => Now().Trouble;

    /// <summary>Finds the host of a key.</summary>
    /// <returns>False when the key is not enrolled, or not any more.</returns>
    public bool TryFind(KeyFingerprint key, [NotNullWhen(true)] out EnrolledHost? host) => Now().ByKey.TryGetValue(key, out host);

    private View Now()
    {
        View view = _view;
        if (IsCurrent(view)) return view;
        lock (_lock)
        {
            if (IsCurrent(_view)) return _view;
            return _view = Read();
        }
    }

    private bool IsCurrent(View view)
    {
        try
        {
            return !view.MayHide && StatusOf(0) == view.First && StatusOf(1) == view.Second;
        }
        catch (StoreException)
        {
            return false; // reading says why
        }
    }

    private FileStatus? StatusOf(int file) => FileStatus.TryOf(_paths[file]);

    private View Read()
    {
        // What is remembered is what the files were like before they were read: a change meanwhile shows at the next question.
        FileStatus?[] before = [null, null];
        List<EnrolledHost> hosts = [];
        string? trouble = null;
        for (int file = 0; file < FileNames.Length; file++)
        {
            try
            {
                before[file] = StatusOf(file);
                if (before[file] is null) continue;
                using StoreFolder? root = StoreFolder.TryOpenRoot(_store);
                using StoreFolder? folder = root?.TryOpen(DirectoryName);
                hosts.AddRange(AuthorizedKeys.Load(folder, FileNames[file]).Hosts);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                trouble ??= e.Message;
            }
        }

        long now = (_time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick;
        bool mayHide = before.Any(b => b is { } status && Math.Abs(now - status.Changed) < Young);
        // A file that could not be read may become readable by something that its status does not show.
        return new View(hosts, trouble, before[0], before[1], mayHide || trouble is not null);
    }

    private sealed class View
    {
        public static readonly View Nothing = new([], null, null, null, mayHide: true);

        public View(IEnumerable<EnrolledHost> hosts, string? trouble, FileStatus? first, FileStatus? second, bool mayHide)
        {
            Trouble = trouble;
            First = first;
            Second = second;
            MayHide = mayHide;
            List<EnrolledHost> all = [];
            foreach (EnrolledHost host in hosts)
                if (ByKey.TryAdd(host.Key.Fingerprint, host)) all.Add(host);
            Hosts = all;
        }

        public Dictionary<KeyFingerprint, EnrolledHost> ByKey { get; } = [];

        public IReadOnlyList<EnrolledHost> Hosts { get; }

        public string? Trouble { get; }

        public FileStatus? First { get; }

        public FileStatus? Second { get; }

        /// <summary>Whether a change of the files might not show in their status: they are read again at the next question.</summary>
        public bool MayHide { get; }
    }
}
