using Netdump.Protocols.Classic;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Classic;

/// <content>The files of the crash: made before the memory is asked, written page by page, synced and closed elsewhere.</content>
internal sealed partial class ClassicCrash
{
    private VmcoreWriter? _vmcore;
    private SessionFile? _sessionFile;
    private SessionHeader? _header;
    private byte[]? _zeros;
    private long _neededBytes;
    private RateMeter _rate;
    private TimeSpan _nextTick;
    private TimeSpan _nextSync;
    private TimeSpan _nextProgress;
    private bool _unsaved;
    private bool _preparing;

    /// <summary>How far the dump is; null when no memory is being received.</summary>
    public DumpProgress? Progress { get; private set; }

    private void PrepareFiles()
    {
        _preparing = true;
        if (_session.RefusedRegisterBytes != 0)
            Log.RegistersRefused(_context.Log, Address, _session.RefusedRegisterBytes, _session.Machine);
        DumpDescription description = Describe();
        _ = _context.Work.Run(async () =>
        {
            DumpFiles files = await DumpFiles.CreateAsync(description, Directory, Address, _context);
            _receiver.Post(now => BeginMemory(files, now));
        });
    }

    private DumpDescription Describe() => new(
        new VmcoreDescription(_session.Machine, _session.PageSize, _session.PageCount, Start.TaskStruct, Start.PageOffset),
        _session.RamPages,
        _session.Registers.ToArray(),
        _session.Header.ToArray(),
        SessionHeader.Of(Start, Address, Peer.Port, Peer.Local.IsEmpty ? null : Peer.Local.ToIPAddress(), _started) with
        {
            State = SessionState.Receiving,
            PageSize = _session.PageSize,
            PageCount = _session.PageCount,
            Boot = SessionFile.CurrentBoot,
        });

    private void BeginMemory(DumpFiles files, TimeSpan now)
    {
        _preparing = false;
        TakeFiles(files, now);
        if (IsOver || _session.Phase != ClassicServerPhase.Prepared)
        {
            CloseFiles();
            UpdateOver();
            return;
        }

        if (_vmcore is null)
        {
            ReleaseSlot();
            _session.SkipMemory(now);
        }
        else
        {
            _session.BeginMemory(now, Start.Extension ? _vmcore.Pages.NextMissing : null);
        }

        Drain(now);
    }

    private void TakeFiles(DumpFiles files, TimeSpan now)
    {
        (_vmcore, _sessionFile, _header, _neededBytes) = files;
        _rate = new RateMeter(now);
        _nextTick = now + TickInterval;
        _nextSync = now + SyncInterval;
        _nextProgress = now + ProgressInterval;
    }

    /// <summary>Goes on where an earlier process was: asks soon what is missing, or at once for the state if nothing is.</summary>
    private void Resume(StoredCrash stored, TimeSpan now)
    {
        _header = stored.Header;
        if (stored.Vmcore is { } vmcore)
        {
            double percent = 100.0 * vmcore.EarlierPages / vmcore.Layout.PageCount;
            Log.Resumed(_context.Log, Address, Directory.Path, percent);
            TakeFiles(new DumpFiles(vmcore, stored.Session, stored.Header, DumpFiles.Needed(vmcore.Layout, 0)), now);
            // Not before all dumps that are gone on with are known: they share the room for answers.
            _preparing = true;
            _receiver.Post(GoOn);
        }
        else
        {
            Log.Resumed(_context.Log, Address, Directory.Path, 100);
            _reading = stored.Header.KernelHeader;
            if (_reading)
                _completion = _context.Work.Run(ReadLogAsync);

            _session.SkipMemory(now);
        }

        Drain(now);
    }

    private void GoOn(TimeSpan now)
    {
        _preparing = false;
        if (!IsOver && _vmcore is { } vmcore && _session.Phase == ClassicServerPhase.Prepared)
            _session.BeginMemory(now, vmcore.Pages.NextMissing);
        Drain(now);
        UpdateOver();
    }

    private void StorePage(in ClassicServerEffect effect, TimeSpan now)
    {
        if (_vmcore is null || _held)
            return;
        try
        {
            _vmcore.WritePage(effect.FirstPfn, _session.Page(effect));
            NoteUnsaved();
        }
        catch (Exception error)
        {
            // A disk refuses with more than IOException: a file too large and a lost permission have other names.
            Refused(error, now);
        }
    }

    private void StoreHole(in ClassicServerEffect effect, TimeSpan now)
    {
        if (_vmcore is null || _held)
            return;
        if (effect.Kind == ClassicServerEffectKind.Hole && effect.Count == 1 && _vmcore.Layout.IsKernelHeader && !_vmcore.Layout.Positions(effect.FirstPfn).IsEmpty)
        {
            StoreZeros(effect.FirstPfn, now); // its own header says that this is memory: the client spared the zeros
            return;
        }

        if (effect.Kind == ClassicServerEffectKind.Hole)
            _vmcore.MarkReserved(effect.FirstPfn, effect.Count);
        else
            _vmcore.MarkUnreadable(effect.FirstPfn);
        NoteUnsaved();
    }

    private void StoreZeros(ulong pfn, TimeSpan now)
    {
        try
        {
            _vmcore!.WritePage(pfn, _zeros ??= new byte[_vmcore.Layout.PageSize]);
            NoteUnsaved();
        }
        catch (Exception error)
        {
            Refused(error, now);
        }
    }

    private void StoreLeftOut(in ClassicServerEffect effect, TimeSpan now)
    {
        if (_vmcore is null || _held)
            return;
        try
        {
            _vmcore.MarkLeftOut(effect.FirstPfn, _session.LeftOutMap);
            NoteUnsaved();
        }
        catch (Exception error)
        {
            Refused(error, now);
        }
    }

    private void NoteUnsaved()
    {
        if (_unsaved)
            return;
        _unsaved = true;
        _receiver.NoteUnsaved(this);
    }

    /// <summary>After each batch of datagrams: puts on record what came with it.</summary>
    public void SaveMap(TimeSpan now)
    {
        _unsaved = false;
        if (_vmcore is null || _held)
            return;
        try
        {
            _sessionFile!.Save(_vmcore.Pages);
        }
        catch (Exception error)
        {
            Refused(error, now);
            Drain(now);
        }
    }

    /// <summary>Once a second: how far it is; every three, a line says so; every five, what has come is synced.</summary>
    private void AdvanceFiles(TimeSpan now)
    {
        if (_vmcore is null || now < _nextTick)
            return;
        _nextTick = now + TickInterval;
        if (_held)
            return;
        SaveMap(now); // a large hole is saved in parts
        if (_vmcore is null || _held)
            return;
        Progress = Measure(_vmcore, now);
        if (now >= _nextSync)
            BeginSync(_vmcore);
        if (now < _nextProgress)
            return;
        _nextProgress = now + ProgressInterval;
        DumpProgress progress = Progress.Value;
        Log.Progress(
            _context.Log, Address, progress.Fraction * 100, ByteText.Size(progress.TotalBytes), progress.BytesPerSecond / 1e6,
            ByteText.Duration(progress.Left));
    }

    /// <summary>
    /// Makes durable what has come, and then the map that names it; and looks how much space is left. Elsewhere: the disk may take long.
    /// </summary>
    private void BeginSync(VmcoreWriter vmcore)
    {
        _nextSync = TimeSpan.MaxValue;
        SessionFile session = _sessionFile!;
        IReadOnlyList<(int Index, byte[] Bits)> blocks = SessionFile.TakeUnsynced(vmcore.Pages);
        _ = _context.Work.Run(async () =>
        {
            Exception? failure = null;
            long free = long.MaxValue;
            await _context.Syncs.WaitAsync();
            try
            {
                vmcore.Sync();
                session.SaveSynced(blocks);
                if (_context.Options.Current.SpaceCheck)
                    free = _context.FreeSpace(Directory.Path);
            }
            catch (Exception error)
            {
                failure = error;
            }
            finally
            {
                _context.Syncs.Release();
            }

            _receiver.Post(later => Synced(vmcore, failure, free, later));
        });
    }

    private void Synced(VmcoreWriter vmcore, Exception? failure, long free, TimeSpan now)
    {
        _nextSync = now + SyncInterval;
        if (_vmcore != vmcore || _held || IsOver)
            return; // closed meanwhile, which is no failure
        if (failure is not null)
            Refused(failure, now);
        else
            CheckSpace(free, now);
        Drain(now);
    }

    private DumpProgress Measure(VmcoreWriter vmcore, TimeSpan now)
    {
        ulong done = vmcore.StoredPages + vmcore.ZeroPages + vmcore.UnreadablePages + vmcore.EarlierPages;
        ulong total = vmcore.Layout.PageCount - vmcore.ReservedPages;
        if (_session.RamPages != 0)
            total = Math.Min(total, _session.RamPages);
        total -= Math.Min(total, vmcore.LeftOutCount);
        return new DumpProgress(done, Math.Max(done, total), vmcore.Layout.PageSize, _rate.Sample(done, now) * vmcore.Layout.PageSize);
    }

    /// <summary>The disk failed: what came stays, the client's state is still printed, and it is rebooted.</summary>
    private void Fail(string reason, TimeSpan now)
    {
        Log.DumpIncomplete(_context.Log, Address, Directory.Path, reason);
        CloseFiles();
        ReleaseSlot();
        _session.SkipMemory(now);
    }

    private void CloseFiles()
    {
        Progress = null;
        if (_vmcore is not { } vmcore)
            return;
        _vmcore = null;
        CloseSessionFile(vmcore);
        vmcore.Dispose();
    }

    /// <summary>The server ends: what came is synced elsewhere, and then the map of it, for a machine that goes down as well.</summary>
    private void StopFiles()
    {
        Progress = null;
        if (_vmcore is not { } vmcore || _sessionFile is not { } session)
            return;
        (_vmcore, _sessionFile) = (null, null);
        try
        {
            while (!session.Save(vmcore.Pages))
                continue;
        }
        catch (Exception error)
        {
            Log.CrashError(_context.Log, Address, error.Message);
        }

        _ = _context.Work.Run(() =>
        {
            try
            {
                for (IReadOnlyList<(int Index, byte[] Bits)> blocks; (blocks = SessionFile.TakeUnsynced(vmcore.Pages)).Count != 0;)
                {
                    vmcore.Sync();
                    session.SaveSynced(blocks);
                }
            }
            catch (Exception error)
            {
                Log.CrashError(_context.Log, Address, error.Message);
            }

            session.Dispose();
            vmcore.Dispose();
        });
    }

    /// <summary>Writes the map once more. A disk that refuses costs only pages of the last batch when the dump is resumed.</summary>
    private void CloseSessionFile(VmcoreWriter vmcore)
    {
        try
        {
            while (_sessionFile?.Save(vmcore.Pages) == false)
                continue;
        }
        catch (Exception error)
        {
            Log.CrashError(_context.Log, Address, error.Message);
        }

        _sessionFile?.Dispose();
        _sessionFile = null;
    }
}
