using System.Collections.Concurrent;
using System.Net;
using Netdump.Protocols.Keys;
using Netdump.Protocols.Upload;
using Netdump.Server.Hooks;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Upload;

/// <summary>
/// The crashes that were announced over the secure port, those of earlier processes included: by their names, and by what makes an announcement be
/// about the same one. Names and paths come from the store, never from a request. Thread-safe.
/// </summary>
internal sealed class UploadCrashes : IDisposable
{
    /// <summary>Crashes of one host that may be open.</summary>
    public const int MostOpen = 16;

    /// <summary>Crashes that one host may announce within <see cref="Window"/>.</summary>
    public const int MostAnnounced = 64;

    /// <summary>For how long an announcement counts.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan TickInterval = TimeSpan.FromSeconds(1);

    private readonly UploadContext _context;
    private readonly ConcurrentDictionary<string, UploadCrash> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<(KeyFingerprint Key, Guid? Leaf, Guid? Id), UploadCrash> _byMeaning = [];
    private readonly ConcurrentDictionary<string, UploadCrash> _open = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _opening = new(1);
    private readonly CancellationTokenSource _stop = new();
    private Task _ticking = Task.CompletedTask;

    /// <summary>The crashes of a store; none before <see cref="Start"/>.</summary>
    public UploadCrashes(UploadContext context) => _context = context;

    /// <summary>Reads what is there, and begins to keep time.</summary>
    public void Start()
    {
        foreach (CrashDirectory directory in _context.Store.WithUpload())
        {
            try
            {
                Load(directory);
            }
            catch (Exception error)
            {
                // Whatever lies there, the server starts, and leaves it as it is.
                Log.UploadNotResumed(_context.Log, directory.Path, error.Message);
            }
        }

        if (!_open.IsEmpty)
            Log.UploadsResumed(_context.Log, _open.Count);
        _ticking = TickAsync();
    }

    /// <summary>Finds a crash of a caller by its name, as it stands in a path of a request.</summary>
    public UploadCrash Find(string name, Caller caller) =>
        _byName.TryGetValue(name, out UploadCrash? crash) && crash.IsOf(caller) ? crash : throw Refusal.NoCrash();

    /// <summary>Announces a crash: opens one, or goes on with the one it is.</summary>
    public async Task<(CrashAnswer Answer, bool IsNew)> AnnounceAsync(CrashAnnouncement announcement, Caller caller, IPAddress address, UploadBody body)
    {
        if (caller.Leaf is { } boot && announcement.BootId is { } named && named != boot)
            throw new Refusal(403, "wrong-boot", $"the key is for the boot {boot}, the crash is said to be of {named}", "arm anew: netdump start");
        announcement = Bounded(announcement) with { BootId = caller.Leaf ?? announcement.BootId };
        UploadCrash? crash;
        bool isNew = false;
        await _opening.WaitAsync(body.Gone);
        try
        {
            crash = Find(caller, announcement);
            if (crash is null)
            {
                CheckQuota(caller);
                crash = Open(announcement, caller, address);
                isNew = true;
            }
        }
        finally
        {
            _opening.Release();
        }

        CrashAnswer answer = await crash.AnnounceAsync(announcement, address, isNew, body);
        if (isNew)
        {
            Log.UploadOpened(_context.Log, address, caller.Host.Name, announcement.Title ?? "cause unknown", crash.Directory.Path);
            _ = _context.Hooks.RunAsync(HookName.Crash, address, crash.Directory.Path);
        }

        return (answer, isNew);
    }

    /// <summary>The newest crash with a complete vmcore that came from a key.</summary>
    public UploadCrash? NewestOf(KeyFingerprint key) =>
        _byName.Values.Where(c => c.Key == key && c.Record is { Vmcore: VmcoreState.Complete, Ended: not null }).MaxBy(c => c.Record.Ended);

    /// <summary>Crashes of a signature whose vmcore is being received, but for one.</summary>
    public int Receiving(string signature, string but) => _open.Values.Count(
        c => c.Directory.Name != but && c.Record.Wanted != WantedVmcore.None && c.Record.Announcement.Signature?.Id == signature);

    /// <summary>Cuts all bodies: the server ends.</summary>
    public void CutAll()
    {
        foreach (UploadCrash crash in _open.Values)
            crash.Cut(new Refusal(503, "busy", "the server ends", "try again") { RetryAfter = 5, Closes = true });
    }

    /// <summary>Writes what is held.</summary>
    public void Stop()
    {
        _stop.Cancel();
        _ticking.Wait(TimeSpan.FromSeconds(5));
        foreach (UploadCrash crash in _open.Values)
            crash.Stop();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (UploadCrash crash in _byName.Values)
            crash.Dispose();
        _stop.Dispose();
        _opening.Dispose();
    }

    private void Load(CrashDirectory directory)
    {
        if (UploadRecord.Read(directory) is not { } record || !KeyFingerprint.TryParse(record.Key, out KeyFingerprint key))
            return;
        DateTimeOffset touched = FileTimes.WrittenAt(directory.File(UploadRecord.FileName));
        DateTimeOffset kept = FileTimes.WrittenAt(directory.File(UploadJournal.FileName));
        if (kept > touched)
            touched = kept;
        TimeSpan ago = _context.Time.GetUtcNow() - touched;
        // A host that a restart kept from us gets its time anew, but not beyond the day.
        TimeSpan heard = MonotonicClock.Now - (ago < _context.ExpiresAfter - _context.SilentAfter ? TimeSpan.Zero : ago);
        UploadCrash crash = new(_context, directory, record, key, heard);
        if (crash.IsOpen)
            crash.Resume();
        Add(crash);
    }

    private void Add(UploadCrash crash)
    {
        _byName[crash.Directory.Name] = crash;
        if (MeaningOf(crash.Key, crash.Record.Leaf, crash.Record.Announcement.Id) is { } meaning)
            _byMeaning[meaning] = crash;
        if (crash.IsOpen)
            _open[crash.Directory.Name] = crash;
    }

    private UploadCrash? Find(Caller caller, CrashAnnouncement announcement) =>
        MeaningOf(caller.Key, caller.Leaf, announcement.Id) is { } meaning ? _byMeaning.GetValueOrDefault(meaning) : null;

    // A leaf has one crash, its boot's; an enrolled key as many as it gives ids; without an id each announcement is another crash.
    private static (KeyFingerprint Key, Guid? Leaf, Guid? Id)? MeaningOf(KeyFingerprint key, Guid? leaf, Guid? id) =>
        leaf is not null ? (key, leaf, null) : id is not null ? (key, null, id) : null;

    private void CheckQuota(Caller caller)
    {
        DateTimeOffset since = _context.Time.GetUtcNow() - Window;
        int open = 0, lately = 0;
        foreach (UploadCrash crash in _byName.Values)
        {
            if (crash.Key != caller.Key)
                continue;
            open += crash.IsOpen && !crash.Record.IsResting ? 1 : 0;
            lately += crash.Record.Started > since ? 1 : 0;
        }

        if (open >= MostOpen)
            throw Refusal.Busy($"{open} crashes of this host are open", 60);
        if (lately >= MostAnnounced)
            throw Refusal.Busy($"{lately} crashes of this host were announced within {Window.TotalMinutes:F0} minutes", 600);
    }

    private UploadCrash Open(CrashAnnouncement announcement, Caller caller, IPAddress address)
    {
        CrashDirectory directory;
        UploadRecord record = new()
        {
            Host = caller.Host.Name,
            Key = caller.Key.ToString(),
            Leaf = caller.Leaf,
            Address = address.ToString(),
            Started = _context.Time.GetUtcNow(),
            Announcement = announcement,
        };
        try
        {
            directory = _context.Store.Create(address);
            record.Write(directory);
        }
        catch (IOException e)
        {
            Log.CrashError(_context.Log, address, e.Message);
            throw Refusal.NoSpace("the server cannot make a directory for the crash");
        }

        UploadCrash crash = new(_context, directory, record, caller.Key, MonotonicClock.Now);
        Add(crash);
        return crash;
    }

    private async Task TickAsync()
    {
        using PeriodicTimer timer = new(TickInterval);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                foreach ((string name, UploadCrash crash) in _open)
                {
                    try
                    {
                        await crash.TickAsync(MonotonicClock.Now);
                    }
                    catch (Exception error)
                    {
                        Log.CrashError(_context.Log, crash.Address, error.Message);
                    }

                    if (!crash.IsOpen)
                        _open.TryRemove(name, out _);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The server ends.
        }
    }

    // What is kept and shown: text of a stranger's choice has its bounds.
    private static CrashAnnouncement Bounded(CrashAnnouncement announcement)
    {
        if (announcement.DumpLevel is < 0 or > 31)
            throw Refusal.BadMessage("dump_level is no number from 0 to 31");
        if (announcement.Signature is { } signature && (signature.Id is not { Length: 16 } || !signature.Id.All(char.IsAsciiHexDigitLower)))
            throw Refusal.BadMessage("signature.id is not 16 hexadecimal digits");
        return announcement with
        {
            Release = Line(announcement.Release),
            Machine = Line(announcement.Machine),
            HostName = Line(announcement.HostName),
            Title = Line(announcement.Title),
            Program = Line(announcement.Program),
        };
    }

    private static string? Line(string? text) =>
        text is null ? null : string.Concat(text.Take(400).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
}
