using System.Net;
using System.Net.Sockets;

namespace Netdump.Server.Store;

/// <summary>
/// The directory that holds everything the server keeps (design.md section 3). Directories have mode 0700, files 0600,
/// and no directory or file that exists is ever overwritten.
/// </summary>
public sealed class CrashStore
{
    internal const UnixFileMode DirectoryMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    internal const UnixFileMode FileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    // Two crashes of one host within one minute are rare; more than this is a peer that plays with us.
    private const int MaxSameName = 1000;

    private static readonly TimeSpan CountInterval = TimeSpan.FromMinutes(1);

    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private int _consoles;
    private long _countedAt; // 0: never

    /// <summary>A store at <paramref name="root"/>; names are made with the local time of <paramref name="time"/>. Touches no disk.</summary>
    public CrashStore(string root, TimeProvider time)
    {
        Root = Path.GetFullPath(root);
        _time = time;
    }

    /// <summary>Absolute path of the store.</summary>
    public string Root { get; }

    /// <summary>Directory of the optional hook scripts.</summary>
    public string ScriptDirectory => Path.Combine(Root, "scripts");

    /// <summary>Directory of the classic protocol's magic files, one for each host.</summary>
    public string MagicDirectory => Path.Combine(Root, "magic");

    /// <summary>
    /// An address as it stands in names of files: IPv4 dotted, IPv6 with <c>_</c> for <c>:</c> and without its zone.
    /// </summary>
    public static string NameOf(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        if (address.AddressFamily == AddressFamily.InterNetworkV6 && address.ScopeId != 0) address = new IPAddress(address.GetAddressBytes());
        return address.ToString().Replace(':', '_');
    }

    /// <summary>
    /// Makes the store if it is missing and tries that files can be made in it.
    /// Throws <see cref="StoreException"/> with one line that says what to do.
    /// </summary>
    public void Prepare()
    {
        try
        {
            Directory.CreateDirectory(Root, DirectoryMode);
            string probe = Path.Combine(Root, $".probe-{Environment.ProcessId}");
            File.Delete(probe);
            using (new FileStream(probe, NewFile())) File.Delete(probe);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException(
                $"cannot write to the store {Root}: {Reason(e)}; run as the user that owns it or choose another with --store DIR", e);
        }
    }

    /// <summary>
    /// Makes the directory of a new crash: <c>address-yyyy-MM-dd-HH:mm</c> in local time, with <c>-2</c>, <c>-3</c> … when taken.
    /// Durable when this returns. Throws <see cref="StoreException"/>.
    /// </summary>
    public CrashDirectory Create(IPAddress address)
    {
        string name = $"{NameOf(address)}-{_time.GetLocalNow():yyyy-MM-dd-HH':'mm}";
        string path = Path.Combine(Root, name);
        for (int n = 1; n <= MaxSameName; n++)
        {
            string candidate = n == 1 ? path : $"{path}-{n}";
            if (!FileCalls.TryMakeDirectory(candidate, DirectoryMode)) continue;
            FileCalls.SyncDirectory(Root);
            return new CrashDirectory(candidate);
        }

        throw new StoreException($"cannot make directory {path}: {MaxSameName} of that name exist");
    }

    /// <summary>Directories of crashes with a session file, in order of their names. Throws <see cref="IOException"/>.</summary>
    /// <param name="address">Those of this host alone; null for all.</param>
    public IEnumerable<CrashDirectory> WithSession(IPAddress? address = null) =>
        Directory.EnumerateDirectories(Root, address is null ? "*-*" : $"{NameOf(address)}-*")
            .Where(path => File.Exists(Path.Combine(path, SessionFile.FileName)))
            .Order(StringComparer.Ordinal)
            .Select(path => new CrashDirectory(path));

    /// <summary>Directories of crashes that hold a dump, whole or not, in order of their names. Throws <see cref="IOException"/>.</summary>
    public IEnumerable<CrashDirectory> WithDump() =>
        Directory.EnumerateDirectories(Root, "*-*")
            .Where(path => File.Exists(Path.Combine(path, VmcoreWriter.CompleteName)) || File.Exists(Path.Combine(path, VmcoreWriter.IncompleteName)))
            .Order(StringComparer.Ordinal)
            .Select(path => new CrashDirectory(path));

    /// <summary>Directories of crashes that were announced over the secure port, in order of their names. Throws <see cref="IOException"/>.</summary>
    public IEnumerable<CrashDirectory> WithUpload() =>
        Directory.EnumerateDirectories(Root, "*-*")
            .Where(path => File.Exists(Path.Combine(path, UploadRecord.FileName)))
            .Order(StringComparer.Ordinal)
            .Select(path => new CrashDirectory(path));

    /// <summary>Directories of a host's crashes with a complete dump, the newest first. Throws <see cref="IOException"/>.</summary>
    public IEnumerable<CrashDirectory> WithVmcore(IPAddress address) =>
        Directory.EnumerateDirectories(Root, $"{NameOf(address)}-*")
            .Where(path => File.Exists(Path.Combine(path, VmcoreWriter.CompleteName)))
            .OrderDescending(StringComparer.Ordinal)
            .Select(path => new CrashDirectory(path));

    /// <summary>Most hosts that may have a console: their directories outlive made-up source addresses.</summary>
    public int MaximumConsoles { get; init; } = 65_536;

    /// <summary>
    /// Whether a host has a console, or may get one. Directories an operator removed are noticed within a minute. Thread-safe.
    /// </summary>
    public bool MayHaveConsole(IPAddress address, string machine = "")
    {
        lock (_lock)
        {
            bool full = _consoles >= MaximumConsoles;
            if (_countedAt == 0 || (full && _time.GetElapsedTime(_countedAt) >= CountInterval))
            {
                _countedAt = _time.GetTimestamp();
                _consoles = CountConsoles();
                full = _consoles >= MaximumConsoles;
            }

            return !full || Directory.Exists(ConsolePath(address, machine));
        }
    }

    /// <summary>Path of the directory of a host's console log, which may not exist.</summary>
    public string ConsolePath(IPAddress address) => Path.Combine(Root, "console", NameOf(address));

    /// <summary>The same for a further machine behind an address: <c>ADDRESS+MACHINE</c>.</summary>
    public string ConsolePath(IPAddress address, string machine) => machine.Length == 0 ? ConsolePath(address) : $"{ConsolePath(address)}+{machine}";

    /// <summary>Makes the directory of a console log if it is missing (mode 0700). Throws <see cref="StoreException"/>.</summary>
    /// <param name="path">What <see cref="ConsolePath(IPAddress, string)"/> said.</param>
    public void MakeConsole(string path)
    {
        try
        {
            // One level at a time: the mode is that of the last directory only.
            Directory.CreateDirectory(Path.Combine(Root, "console"), DirectoryMode);
            if (Directory.Exists(path)) return;
            Directory.CreateDirectory(path, DirectoryMode);
            lock (_lock) _consoles++;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"cannot make directory {path}: {Reason(e)}", e);
        }
    }

    private int CountConsoles()
    {
        try
        {
            return Directory.EnumerateDirectories(Path.Combine(Root, "console")).Count();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0; // none yet, or told when one cannot be written
        }
    }

    /// <summary>Options of a file that must not exist yet: mode 0600, unbuffered, readable by others of this process.</summary>
    internal static FileStreamOptions NewFile() => new()
    {
        Mode = System.IO.FileMode.CreateNew,
        Access = FileAccess.ReadWrite,
        Share = FileShare.Read | FileShare.Delete,
        BufferSize = 0,
        UnixCreateMode = FileMode,
    };

    private static string Reason(Exception e) => e is UnauthorizedAccessException ? "permission denied" : e.Message.TrimEnd('.');
}
