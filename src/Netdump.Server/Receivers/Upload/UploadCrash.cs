using System.Net;
using Netdump.Protocols.Keys;
using Netdump.Protocols.Upload;
using Netdump.Server.Hooks;
using Netdump.Server.Receivers.Classic;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Upload;

/// <summary>
/// One crash that was announced over the secure port. Its requests run one after the other; a later one cuts the body that an earlier one is still
/// receiving, since its client has given that connection up. Thread-safe.
/// </summary>
internal sealed partial class UploadCrash : IDisposable
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private readonly UploadContext _context;
    private readonly SemaphoreSlim _turn = new(1);
    private volatile UploadRecord _record;
    private volatile UploadBody? _body;
    private TimeSpan _heard;

    /// <summary>A crash, new or as an earlier process left it.</summary>
    public UploadCrash(UploadContext context, CrashDirectory directory, UploadRecord record, KeyFingerprint key, TimeSpan heard)
    {
        _context = context;
        Directory = directory;
        _record = record;
        Key = key;
        Address = IPAddress.Parse(record.Address);
        _heard = heard;
    }

    /// <summary>Its directory, whose name is the crash's.</summary>
    public CrashDirectory Directory { get; }

    /// <summary>Fingerprint of the host's enrolled key.</summary>
    public KeyFingerprint Key { get; }

    /// <summary>Address that announced it.</summary>
    public IPAddress Address { get; private set; }

    /// <summary>What is known of it.</summary>
    public UploadRecord Record => _record;

    /// <summary>Whether more may come.</summary>
    public bool IsOpen => _record.Ended is null;

    /// <summary>Whether a caller may send it.</summary>
    public bool IsOf(Caller caller) => caller.Key == Key && (caller.Leaf is null || caller.Leaf == _record.Leaf);

    /// <summary>Announced, the first time or again: what is wanted, and what is there already.</summary>
    public async Task<CrashAnswer> AnnounceAsync(CrashAnnouncement announcement, IPAddress address, bool isNew, UploadBody body)
    {
        using Turn turn = await EnterAsync(body);
        if (IsOpen)
        {
            Address = address;
            UploadRecord record = _record with { Announcement = announcement, Address = address.ToString() };
            if (record.Vmcore == VmcoreState.None)
                record = await DecideAsync(record);
            Write(record);
            await OpenLogAsync();
            if (!isNew)
                Log.UploadGoesOn(_context.Log, Address, record.Host, Directory.Path, ByteText.Size(Offset ?? 0));
        }

        return Answer();
    }

    /// <summary>What the client is told.</summary>
    public CrashAnswer Answer()
    {
        UploadRecord record = _record;
        return new CrashAnswer
        {
            Crash = Directory.Name,
            Vmcore = record.Wanted,
            DumpLevel = record.Wanted == WantedVmcore.Filtered ? record.DumpLevel : null,
            Refusal = record.Wanted == WantedVmcore.None ? record.Refusal : null,
            Reason = record.Reason,
            HasLog = record.Log is not null,
            HasTasks = record.HasTasks,
            VmcoreOffset = Offset,
        };
    }

    /// <summary>All is sent: closes the crash.</summary>
    public async Task<CrashResult> FinishAsync(CrashDone done, UploadBody body)
    {
        using Turn turn = await EnterAsync(body);
        if (IsOpen)
        {
            if (_record.Vmcore == VmcoreState.Receiving)
                await FinishVmcoreAsync(done);
            else if (_record.Vmcore == VmcoreState.Complete && done.Digest is not null)
                CheckDigest(done);
            await CloseAsync(_record with { Notes = Bounded(done.Notes) });
        }

        return new CrashResult(Directory.Name, _record.Vmcore switch
        {
            VmcoreState.Complete => "complete",
            VmcoreState.None => "none",
            _ => "incomplete",
        });
    }

    /// <summary>Once a second: keeps the log up to date, cuts a body whose host was revoked, and closes what nobody goes on with.</summary>
    public async Task TickAsync(TimeSpan now)
    {
        AdvanceLog(now);
        if (_body is { } body && !_context.Enrolled.TryFind(Key, out _))
        {
            Log.UploadRevoked(_context.Log, Address, _record.Host);
            body.Cut(Refusal.NotEnrolled());
        }

        if (!IsOpen || now - _heard < _context.SilentAfter || !await _turn.WaitAsync(0))
            return;
        try
        {
            if (!IsOpen || now - _heard < _context.SilentAfter)
                return;
            if (_record.Vmcore == VmcoreState.Complete || now - _heard >= _context.ExpiresAfter)
            {
                EndVmcore();
                await CloseAsync(_record);
            }
            else if (!_record.IsResting)
            {
                await RestAsync();
            }
        }
        catch
        {
            _heard = now; // a full disk, most likely: tried again when the same time has passed once more
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Cuts the body that is being received.</summary>
    public void Cut(Refusal why) => _body?.Cut(why);

    /// <summary>The server ends: what came is kept, the log is written; the next process goes on.</summary>
    public void Stop()
    {
        FlushLog();
        if (_turn.Wait(LongestWait))
        {
            _vmcore?.Dispose();
            _vmcore = null;
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _vmcore?.Dispose();
        _turn.Dispose();
    }

    private async Task<Turn> EnterAsync(UploadBody body)
    {
        if (!await _turn.WaitAsync(0))
        {
            _body?.Cut(Refusal.Busy("another request of this crash has come", 1));
            if (!await _turn.WaitAsync(LongestWait, body.Gone))
                throw Refusal.Busy("another request of this crash is not done yet", 5);
        }

        _heard = MonotonicClock.Now;
        _body = body;
        return new Turn(this);
    }

    private void Leave()
    {
        _body = null;
        _heard = MonotonicClock.Now;
        _turn.Release();
    }

    /// <summary>The client is silent: what came of its crash is closed and analysed as it is.</summary>
    private async Task RestAsync()
    {
        Log.UploadSilent(_context.Log, Address, _record.Host, Directory.Path);
        _vmcore?.Dispose();
        _vmcore = null;
        await CloseLogAsync(mayGoOn: true);
        Write(_record with { IsResting = true });
        _ = _context.Analyse(Directory);
    }

    private async Task CloseAsync(UploadRecord record)
    {
        await CloseLogAsync(mayGoOn: false);
        Write(record with { Ended = _context.Time.GetUtcNow(), IsResting = false });
        _vmcore?.Dispose();
        _vmcore = null;
        foreach (string name in new[] { UploadJournal.FileName, LogName, TasksName })
            Directory.Delete(name);
        Log.UploadClosed(_context.Log, Address, record.Host, Directory.Path, record.Vmcore.ToString().ToLowerInvariant());
        _ = _context.Work.Track(AnalyseAsync());
    }

    // The hook comes last: it finds the report, and may do with the dump as it likes.
    private async Task AnalyseAsync()
    {
        await _context.Analyse(Directory);
        await _context.Hooks.RunAsync(HookName.Reboot, Address, Directory.Path);
    }

    private void Write(UploadRecord record)
    {
        try
        {
            record.Write(Directory);
        }
        catch (IOException e)
        {
            throw DiskFailure(e);
        }

        _record = record;
    }

    private static Dictionary<string, string>? Bounded(IReadOnlyDictionary<string, string>? notes) =>
        notes is null ? null : new(notes.Take(64).Where(n => n.Value is not null));

    /// <summary>A request's turn.</summary>
    private readonly struct Turn(UploadCrash crash) : IDisposable
    {
        public void Dispose() => crash.Leave();
    }
}
