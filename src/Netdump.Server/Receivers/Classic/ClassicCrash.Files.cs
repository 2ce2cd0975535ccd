using Netdump.Protocols.Classic;
using Netdump.Server.Store;
using Netdump.Vmcore;
using Netdump.Vmcore.Log;

namespace Netdump.Server.Receivers.Classic;

/// <content>The files of the crash: made before the memory is asked, written page by page, and completed elsewhere.</content>
internal sealed partial class ClassicCrash
{
    private VmcoreWriter? _vmcore;
    private SessionFile? _sessionFile;
    private Task? _completion;
    private RateMeter _rate;
    private TimeSpan _nextSave;
    private TimeSpan _nextProgress;
    private bool _preparing;
    private bool _completing;
    private bool _reading;

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
        new SessionHeader
        {
            Address = Address.ToString(),
            Port = Peer.Port,
            Started = _started,
            Machine = _session.Machine,
            PageSize = _session.PageSize,
            PageCount = _session.PageCount,
            Extension = _session.Extension,
            Magic = Start.Magic is { } magic ? $"{magic:x16}" : null,
            TaskStruct = Start.TaskStruct,
            KernelHeader = false,
            HeaderBytes = 0,
        });

    private void BeginMemory(DumpFiles files, TimeSpan now)
    {
        _preparing = false;
        (_vmcore, _sessionFile) = (files.Vmcore, files.Session);
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
            _rate = new RateMeter(now);
            _nextSave = now + SaveInterval;
            _nextProgress = now + ProgressInterval;
            _session.BeginMemory(now);
        }

        Drain(now);
    }

    private void StorePage(in ClassicServerEffect effect, TimeSpan now)
    {
        if (_vmcore is null)
            return;
        try
        {
            _vmcore.WritePage(effect.FirstPfn, _session.Page(effect));
        }
        catch (Exception error)
        {
            // A disk refuses with more than IOException: a file too large and a lost permission have other names.
            Fail(error.Message, now);
        }
    }

    /// <summary>Once a second: what has come is written down; every three: a line says how far it is.</summary>
    private void AdvanceFiles(TimeSpan now)
    {
        if (_vmcore is null || now < _nextSave)
            return;
        _nextSave = now + SaveInterval;
        try
        {
            _sessionFile!.Save(_vmcore.Pages);
        }
        catch (Exception error)
        {
            Fail(error.Message, now);
            Drain(now);
            return;
        }

        Progress = Measure(_vmcore, now);
        if (now < _nextProgress)
            return;
        _nextProgress = now + ProgressInterval;
        DumpProgress progress = Progress.Value;
        Log.Progress(
            _context.Log, Address, progress.Fraction * 100, ByteText.Size(progress.TotalBytes), progress.BytesPerSecond / 1e6,
            ByteText.Duration(progress.Left));
    }

    private DumpProgress Measure(VmcoreWriter vmcore, TimeSpan now)
    {
        ulong done = vmcore.StoredPages + vmcore.ZeroPages + vmcore.UnreadablePages;
        ulong total = vmcore.Layout.PageCount - vmcore.ReservedPages;
        if (_session.RamPages != 0)
            total = Math.Min(total, _session.RamPages);
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

    private void CompleteFiles(TimeSpan now)
    {
        ReleaseSlot();
        if (_vmcore is not { } vmcore)
            return;
        if (!vmcore.Pages.IsComplete)
        {
            Fail($"{vmcore.Pages.PageCount - vmcore.Pages.Accounted} pages never came", now);
            return;
        }

        if (vmcore.UnreadablePages != 0)
            Log.UnreadablePages(_context.Log, Address, vmcore.UnreadablePages, Directory.Path);
        CloseSessionFile(vmcore);
        _vmcore = null;
        Progress = null;
        _completing = true;
        bool readLog = vmcore.Layout.IsKernelHeader;
        _completion = _context.Work.Run(() =>
        {
            string? failure = Complete(vmcore);
            _receiver.Post(later => Completed(vmcore, failure, readLog, later));
            if (failure is null && readLog)
            {
                IReadOnlyList<LogRecord> records = ReadLog();
                _receiver.Post(later => LogRead(records, later));
            }
        });
    }

    private static string? Complete(VmcoreWriter vmcore)
    {
        try
        {
            vmcore.Complete();
            return null;
        }
        catch (Exception error)
        {
            // Whatever it was, the client must still be sent away.
            vmcore.Dispose();
            return error.Message;
        }
    }

    private void Completed(VmcoreWriter vmcore, string? failure, bool readLog, TimeSpan now)
    {
        _completing = false;
        _reading = failure is null && readLog;
        if (failure is null)
        {
            Log.DumpComplete(
                _context.Log, Address, Directory.Path, ByteText.Size(vmcore.Layout.FileSize), (now - _began).TotalSeconds);
        }
        else
        {
            Log.DumpIncomplete(_context.Log, Address, Directory.Path, failure);
        }

        if (IsOver)
            return;
        Finish(now);
        Drain(now);
        CloseLog(now);
    }

    /// <summary>The dead kernel's own ring, from the finished file: whatever of it the network lost is still there.</summary>
    private IReadOnlyList<LogRecord> ReadLog()
    {
        try
        {
            using VmcoreFile file = VmcoreFile.Open(Directory.File(VmcoreWriter.CompleteName));
            return file.ReadLog();
        }
        catch (Exception error)
        {
            // A dump is hostile input: nothing in it may keep the crash from being closed.
            Log.RingNotRead(_context.Log, Address, error.Message);
            return [];
        }
    }

    private void LogRead(IReadOnlyList<LogRecord> records, TimeSpan now)
    {
        _reading = false;
        if (IsOver)
            return;
        CrashLog.FillFrom(records, now);
        CloseLog(now);
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

    /// <summary>Writes the map once more. A disk that refuses costs only the pages of the last second when the dump is resumed.</summary>
    private void CloseSessionFile(VmcoreWriter vmcore)
    {
        try
        {
            _sessionFile?.Save(vmcore.Pages);
        }
        catch (Exception error)
        {
            Log.CrashError(_context.Log, Address, error.Message);
        }

        _sessionFile?.Dispose();
        _sessionFile = null;
    }
}
