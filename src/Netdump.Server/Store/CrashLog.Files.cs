using System.Buffers;

namespace Netdump.Server.Store;

/// <content>The files of the log: what came is appended at once to the working files, <c>log</c> is rewritten as a whole beside the engine.</content>
public sealed partial class CrashLog
{
    private void Prepare(List<JournalEntry> entries)
    {
        try
        {
            _ = Journal.PrepareToAppend(_directory.File(RecordsName), entries);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Tell(e);
        }
    }

    private void Schedule(TimeSpan now)
    {
        if (_dirty && !_completed && _writeAt == TimeSpan.MaxValue) _writeAt = now + WriteInterval;
    }

    private void BeginWrite()
    {
        Save();
        byte[] content = _text.Render();
        _dirty = false;
        _writeAt = TimeSpan.MaxValue;
        _writing = Task.Run(() => Write(content, last: false));
    }

    /// <summary>Looks at the last write: what failed is tried again.</summary>
    private void Reap()
    {
        if (!_writing.IsCompletedSuccessfully || _writing.Result is not Exception error) return;
        Tell(error);
        _dirty = true;
        _writing = Task.FromResult<Exception?>(null);
    }

    private Exception? Write(byte[] content, bool last)
    {
        try
        {
            _directory.Replace(LogName, content);
            _failing = false;
            if (last) _directory.Delete(RecordsName);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e;
        }
    }

    /// <summary>Appends what came to the working files; quick, as nothing is synced here.</summary>
    private void Save()
    {
        try
        {
            Append(RecordsName, _unsaved);
            int captured = _capture.WrittenCount;
            Append(CaptureName, _capture);
            _captureLength += captured;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Tell(e);
        }
    }

    private void Append(string name, ArrayBufferWriter<byte> pending)
    {
        if (pending.WrittenCount == 0) return;
        using FileStream file = new(_directory.File(name), new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0,
            UnixCreateMode = CrashStore.FileMode,
        });
        long length = file.Length;
        try
        {
            file.Position = length;
            if (length == 0 && name == RecordsName) file.Write(Journal.Signature);
            file.Write(pending.WrittenSpan);
        }
        catch (IOException)
        {
            file.SetLength(length); // a full disk may have taken a part
            throw;
        }

        pending.ResetWrittenCount();
    }

    private void Tell(Exception error)
    {
        if (!_failing) Log.CrashLogNotWritten(_console.Log, _console.Address, _directory.Path, error.Message);
        _failing = true;
    }
}
