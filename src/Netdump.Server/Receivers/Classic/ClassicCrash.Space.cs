using Netdump.Protocols.Classic;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Classic;

/// <content>The disk becomes full in the middle of a dump: the hook is asked for room, and without it the dump is refused.</content>
internal sealed partial class ClassicCrash
{
    // What is left to the logs of this crash and of others, and to consoles.
    private const long Reserve = 16 << 20;

    private const int DiskFullError = 28; // ENOSPC
    private const int QuotaError = 122; // EDQUOT

    private bool _held;      // no page is written while its space is decided on
    private bool _askedForSpace;
    private Task _spaceHook = Task.CompletedTask;

    /// <summary>Disk space that what is still to come can take: an upper bound, as pages of zeros take none.</summary>
    private long StillNeeded(VmcoreWriter vmcore) =>
        Math.Min(_neededBytes, (long)((vmcore.Pages.PageCount - vmcore.Pages.Accounted) * vmcore.Layout.PageSize));

    /// <summary>The disk refused a write.</summary>
    private void Refused(Exception error, TimeSpan now)
    {
        if (error is IOException { HResult: DiskFullError or QuotaError })
            Hold(now);
        else
            Fail(error.Message, now);
    }

    /// <summary>
    /// Too little for what may come is told early, and the hook asked for room; the dump goes on meanwhile. When only
    /// <see cref="Reserve"/> is left it stops.
    /// </summary>
    private void CheckSpace(long free, TimeSpan now)
    {
        if (_vmcore is not { } vmcore)
            return;
        long needed = StillNeeded(vmcore);
        if (free >= needed)
        {
            _askedForSpace = false;
            return;
        }

        if (free < Reserve)
        {
            Hold(now);
            return;
        }

        if (_askedForSpace)
            return;
        _askedForSpace = true;
        Log.SpaceShort(_context.Log, Address, ByteText.Size(free), ByteText.Size(needed));
        _spaceHook = _context.Work.Run(() => DumpFiles.RunNoSpaceAsync(Address, Directory, _context));
    }

    /// <summary>Asks for no more pages until it is known whether there is room; what the disk refused is asked again.</summary>
    private void Hold(TimeSpan now)
    {
        if (_held || _vmcore is not { } vmcore)
            return;
        _held = true;
        _preparing = true;
        _session.HoldMemory(now);
        long needed = Math.Max(StillNeeded(vmcore), 1);
        Task hook = _spaceHook;
        if (!_askedForSpace)
        {
            Log.DumpHeld(_context.Log, Address);
            hook = DumpFiles.RunNoSpaceAsync(Address, Directory, _context);
        }

        _askedForSpace = false; // room that was made may be used up once more
        SessionFile session = _sessionFile!;
        _ = _context.Work.Run(async () =>
        {
            bool isRoom = false;
            try
            {
                await hook;
                isRoom = await DecideAsync(vmcore, session, needed);
            }
            catch (Exception error)
            {
                Log.CrashError(_context.Log, Address, error.Message);
            }

            _receiver.Post(later => Decided(isRoom, later));
        });
    }

    /// <summary>One dump at a time: the pages of one that is refused make room for the next.</summary>
    private async Task<bool> DecideAsync(VmcoreWriter vmcore, SessionFile session, long needed)
    {
        await _context.SpaceDecision.WaitAsync();
        try
        {
            long free = _context.FreeSpace(Directory.Path);
            if (free >= needed)
                return true;
            Log.NoSpaceLeft(_context.Log, Address, ByteText.Size(free), ByteText.Size(needed));
            session.Dispose();
            vmcore.Remove();
            SessionFile.End(Directory);
            return false;
        }
        finally
        {
            _context.SpaceDecision.Release();
        }
    }

    private void Decided(bool isRoom, TimeSpan now)
    {
        _preparing = false;
        _held = false;
        if (IsOver || _vmcore is not { } vmcore)
        {
            UpdateOver();
            return;
        }

        if (isRoom && _session.Phase == ClassicServerPhase.Prepared)
        {
            Log.DumpGoesOn(_context.Log, Address);
            _session.BeginMemory(now, vmcore.Pages.NextMissing);
        }
        else
        {
            if (isRoom)
                Log.DumpIncomplete(_context.Log, Address, Directory.Path, "the disk had no room for its last page");
            CloseFiles();
            ReleaseSlot();
            _session.SkipMemory(now);
        }

        Drain(now);
        UpdateOver();
    }
}
