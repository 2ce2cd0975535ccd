using Netdump.Protocols.Upload;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Upload;

/// <content>Log and list of tasks: kept as they came until the crash is closed, and merged with what the host's console said.</content>
internal sealed partial class UploadCrash
{
    private const string LogName = ".upload-log";
    private const string TasksName = ".upload-tasks";
    private const int BufferLength = 64 << 10;

    private readonly Lock _logLock = new();
    private CrashLog? _log;

    /// <summary>The dead kernel's log.</summary>
    public async Task PutLogAsync(UploadBody body)
    {
        string type = body.Type;
        if (type is not (UploadPaths.RecordsType or "text/plain"))
            throw Refusal.WrongType($"{UploadPaths.RecordsType} or text/plain");
        using Turn turn = await EnterAsync(body);
        await PutAsync(LogName, body);
        // One that came before is forgotten, or lines without numbers would be there twice.
        bool isAgain = _record.Log is not null;
        Write(_record with { Log = type });
        if (isAgain)
            await CloseLogAsync(mayGoOn: true);
        if (!await OpenLogAsync())
            Give(LogName);
    }

    /// <summary>The list of tasks, which ends the log.</summary>
    public async Task PutTasksAsync(UploadBody body)
    {
        if (body.Type is not "text/plain")
            throw Refusal.WrongType("text/plain");
        using Turn turn = await EnterAsync(body);
        await PutAsync(TasksName, body);
        bool isAgain = _record.HasTasks;
        Write(_record with { HasTasks = true });
        if (isAgain)
            await CloseLogAsync(mayGoOn: true);
        if (!await OpenLogAsync())
            Give(TasksName);
    }

    private async Task PutAsync(string name, UploadBody body)
    {
        if (!IsOpen)
            throw Refusal.Over();
        body.Allow(UploadPaths.LongestText);
        if (_context.Options.Current.SpaceCheck && _context.FreeSpace(Directory.Path) < body.Length)
            throw Refusal.NoSpace("the server's disk is full");
        string fresh = Directory.File(name + ".new");
        byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(BufferLength);
        try
        {
            File.Delete(fresh);
            using (FileStream file = new(fresh, CrashStore.NewFile()))
            {
                for (int count; (count = await ReadAsync(body, buffer)) > 0;)
                    OnDisk(() => file.Write(buffer, 0, count));
                OnDisk(() => file.Flush(flushToDisk: true));
            }

            File.Move(fresh, Directory.File(name), overwrite: true);
            Directory.Sync();
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
            File.Delete(fresh);
        }
    }

    /// <summary>Opens the log if it is not; true when it was not, and what was uploaded of it is in it now.</summary>
    private async Task<bool> OpenLogAsync()
    {
        if (_log is not null)
            return false;
        ConsoleView console = await _context.ViewConsole(Address);
        lock (_logLock)
            _log = new CrashLog(Directory, console, MonotonicClock.Now);
        if (_record.Log is not null)
            Give(LogName);
        if (_record.HasTasks)
            Give(TasksName);
        if (_record.IsResting)
            Write(_record with { IsResting = false });
        return true;
    }

    private void Give(string name)
    {
        TimeSpan now = MonotonicClock.Now;
        using FileStream text = new(Directory.File(name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, BufferLength);
        lock (_logLock)
        {
            if (name == TasksName)
                _log!.TakeTasks(text, now);
            else if (_record.Log == UploadPaths.RecordsType)
                _log!.TakeRecords(text, now);
            else
                _log!.TakeText(text, now);
        }
    }

    private void AdvanceLog(TimeSpan now)
    {
        lock (_logLock)
            _log?.Advance(now);
    }

    private void FlushLog()
    {
        lock (_logLock)
            _log?.Flush(MonotonicClock.Now);
    }

    private async Task CloseLogAsync(bool mayGoOn)
    {
        if (_log is null && !(mayGoOn && _record.IsResting))
            await OpenLogAsync(); // an earlier process had it, or its working files are to go after a rest
        Task<Exception?> closing;
        lock (_logLock)
        {
            if (_log is null)
                return;
            closing = _log.CompleteAsync(MonotonicClock.Now, mayGoOn);
            _log = null;
        }

        if (await closing is { } failure)
            Log.CrashError(_context.Log, Address, failure.Message);
    }
}
