using Netdump.Protocols.Upload;
using Netdump.Server.Hooks;
using Netdump.Server.Receivers.Classic;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Upload;

/// <content>Free space, and what the policy wants: asked when the crash is announced, and again while it runs.</content>
internal sealed partial class UploadCrash
{
    private const int DiskFullError = 28; // ENOSPC
    private const int QuotaError = 122; // EDQUOT
    private const int TooBigError = 27; // EFBIG

    private bool _isShort; // told already

    private async Task<UploadRecord> DecideAsync(UploadRecord record)
    {
        (WantedVmcore wanted, int? level, string? reason) = _context.Policy.Decide(record.Announcement, Directory.Name);
        int? refusal = null;
        if (wanted == WantedVmcore.None)
        {
            refusal = 403;
        }
        else if (await ShortageAsync((long)Math.Min(record.Announcement.VmcoreBytes, VmcoreUpload.MostBytes)) is { } shortage)
        {
            (wanted, refusal, reason) = (WantedVmcore.None, 507, shortage);
        }

        if (wanted == WantedVmcore.None && (record.Wanted, record.Reason) != (wanted, reason))
            Log.VmcoreNotWanted(_context.Log, Address, record.Host, reason!);
        return record with { Wanted = wanted, DumpLevel = level, Refusal = refusal, Reason = reason };
    }

    /// <summary>Refuses with 507 when there is no room for so many bytes more.</summary>
    private async Task CheckSpaceAsync(long bytes)
    {
        if (await ShortageAsync(bytes) is { } shortage)
            throw Refusal.NoSpace(shortage);
    }

    /// <summary>Compares free space; when it is short the hook is asked for room, once, and space is looked at again. Null when there is room.</summary>
    private async Task<string?> ShortageAsync(long bytes)
    {
        if (!_context.Options.Current.SpaceCheck)
            return null;
        long needed = bytes + UploadContext.Reserve;
        if (_context.FreeSpace(Directory.Path) >= needed)
        {
            _isShort = false;
            return null;
        }

        bool wasShort = _isShort;
        _isShort = true;
        if (!wasShort)
            await RunNoSpaceAsync();
        long free = _context.FreeSpace(Directory.Path);
        if (free >= needed)
            return null;
        if (!wasShort)
            Log.UploadHeld(_context.Log, Address, Directory.Path, ByteText.Size(free));
        return $"{ByteText.Size(free)} free on the server, {ByteText.Size(needed)} are needed";
    }

    // As for classic dumps: no longer than for its own time and as long for its turn, since hooks of other hosts may hang.
    private async Task RunNoSpaceAsync()
    {
        TimeSpan limit = 2 * _context.Options.Current.HookTimeout;
        try
        {
            await _context.Hooks.RunAsync(HookName.NoSpace, Address, Directory.Path).WaitAsync(limit);
        }
        catch (TimeoutException)
        {
            Log.HookLate(_context.Log, HookScripts.FileName(HookName.NoSpace), Address, limit.TotalSeconds);
        }
    }

    /// <summary>Runs work on the disk; what it refuses becomes a refusal of the request.</summary>
    private void OnDisk(Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw DiskFailure(e);
        }
    }

    private Refusal DiskFailure(Exception error)
    {
        switch (error.HResult)
        {
            case DiskFullError or QuotaError:
                if (!_isShort)
                    Log.UploadHeld(_context.Log, Address, Directory.Path, ByteText.Size(_context.FreeSpace(Directory.Path)));
                _isShort = true;
                return Refusal.NoSpace("the server's disk is full");
            case TooBigError:
                return Refusal.TooLarge("the dump is longer than a file of the server's file system can be");
            default:
                Log.CrashError(_context.Log, Address, error.Message);
                return new Refusal(500, "disk", "the server's disk failed", "look at the server's log") { RetryAfter = 30 };
        }
    }
}
