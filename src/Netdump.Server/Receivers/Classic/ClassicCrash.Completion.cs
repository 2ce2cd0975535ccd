using Netdump.Server.Store;
using Netdump.Vmcore;
using Netdump.Vmcore.Log;

namespace Netdump.Server.Receivers.Classic;

/// <content>The end of a dump whose pages have all come: its file gets its final name, and the log what the kernel's ring still has.</content>
internal sealed partial class ClassicCrash
{
    private Task? _completion;
    private bool _completing;
    private bool _reading;

    private void CompleteFiles(TimeSpan now)
    {
        if (_held)
            return; // the disk refused the last page, and it cannot be asked any more
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
        SessionHeader stored = _header! with { State = SessionState.Stored };
        _completion = _context.Work.Run(async () =>
        {
            string? failure = Complete(vmcore, stored);
            _receiver.Post(later => Completed(vmcore, failure, readLog, later));
            if (failure is null && readLog)
                await ReadLogAsync();
        });
    }

    private string? Complete(VmcoreWriter vmcore, SessionHeader stored)
    {
        try
        {
            vmcore.Complete();
        }
        catch (Exception error)
        {
            // Whatever it was, the client must still be sent away.
            vmcore.Dispose();
            return error.Message;
        }

        try
        {
            SessionFile.Write(Directory, stored);
        }
        catch (Exception error)
        {
            // The names of the files say the same to the next process.
            Log.CrashError(_context.Log, Address, error.Message);
        }

        return null;
    }

    private void Completed(VmcoreWriter vmcore, string? failure, bool readLog, TimeSpan now)
    {
        _completing = false;
        _reading = failure is null && readLog;
        if (failure is null)
        {
            Log.DumpComplete(
                _context.Log, Address, Directory.Path, ByteText.Size(vmcore.CompleteSize), (now - _began).TotalSeconds);
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
    private async Task ReadLogAsync()
    {
        IReadOnlyList<LogRecord> records = [];
        await _context.LogReads.WaitAsync();
        try
        {
            using VmcoreFile file = VmcoreFile.Open(Directory.File(VmcoreWriter.CompleteName));
            if (file.Info is null)
                Log.RingNotRead(_context.Log, Address, "it carries no VMCOREINFO, and its memory is not searched for it here");
            else
                records = file.ReadLog();
        }
        catch (Exception error)
        {
            // A dump is hostile input: nothing in it may keep the crash from being closed.
            Log.RingNotRead(_context.Log, Address, error.Message);
        }
        finally
        {
            _context.LogReads.Release();
        }

        _receiver.Post(later => LogRead(records, later));
    }

    private void LogRead(IReadOnlyList<LogRecord> records, TimeSpan now)
    {
        _reading = false;
        if (IsOver)
            return;
        CrashLog.FillFrom(records, now);
        CloseLog(now);
    }
}
