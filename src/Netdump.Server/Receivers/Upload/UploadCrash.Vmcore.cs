using System.Security.Cryptography;
using Netdump.Protocols.Upload;
using Netdump.Server.Receivers.Classic;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Upload;

/// <content>The vmcore by tus 1.0: created, received in parts, ended, completed.</content>
internal sealed partial class UploadCrash
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(3);

    private VmcoreUpload? _vmcore;
    private RateMeter _rate;
    private TimeSpan _began;
    private TimeSpan _nextProgress;
    private long _offset;

    /// <summary>Bytes of the upload that are on the disk; null when it was not created.</summary>
    public long? Offset => _record.Vmcore switch
    {
        VmcoreState.None => null,
        VmcoreState.Complete => _record.Length ?? Volatile.Read(ref _offset),
        _ => Volatile.Read(ref _offset),
    };

    /// <summary>When the upload ends unless it is gone on with.</summary>
    public DateTimeOffset Expires => _context.Time.GetUtcNow() + _context.ExpiresAfter - (MonotonicClock.Now - _heard);

    /// <summary>tus creation. Again, it changes nothing.</summary>
    public async Task CreateVmcoreAsync(long? length, UploadBody body)
    {
        using Turn turn = await EnterAsync(body);
        if (_record.Vmcore == VmcoreState.Incomplete)
            throw Refusal.Ended();
        if (_record.Vmcore == VmcoreState.Complete || !IsOpen)
            throw Refusal.Over();
        if (length > VmcoreUpload.MostBytes)
            throw Refusal.TooLarge($"no dump has more than {ByteText.Size(VmcoreUpload.MostBytes)}");
        if (_record.Vmcore == VmcoreState.None)
        {
            UploadRecord record = await DecideAsync(_record);
            Write(record);
            if (record.Wanted == WantedVmcore.None)
                throw record.Refusal == 507 ? Refusal.NoSpace(record.Reason!) : new Refusal(403, "not-wanted", record.Reason!, "log and tasks are kept");
        }

        await CheckSpaceAsync(length ?? 0);
        OnDisk(() => OpenVmcore());
        if (_record.Vmcore == VmcoreState.None || (_record.Length is null && length is not null))
            Write(_record with { Vmcore = VmcoreState.Receiving, Length = length });
    }

    /// <summary>Where the upload stands: cuts a body that is still being received, and waits for what came of it to be kept.</summary>
    public async Task<(long Offset, long? Length)> StandingAsync(UploadBody body)
    {
        using Turn turn = await EnterAsync(body);
        CheckCreated();
        return (Offset!.Value, _record.Vmcore == VmcoreState.Complete ? Offset : _record.Length);
    }

    /// <summary>tus termination.</summary>
    public async Task EndVmcoreAsync(UploadBody body)
    {
        using Turn turn = await EnterAsync(body);
        CheckCreated();
        if (_record.Vmcore == VmcoreState.Complete)
            throw Refusal.Over();
        EndVmcore();
    }

    /// <summary>Bytes at an offset. With a digest they are kept whole or not at all; without, as they arrive, also when the connection breaks.</summary>
    /// <param name="body">The bytes.</param>
    /// <param name="offset">Where they belong in the upload.</param>
    /// <param name="kind">Which digest they come with.</param>
    /// <param name="digest">The digest.</param>
    /// <param name="length">Bytes of the whole upload, when this request says them.</param>
    /// <returns>Where the upload stands then.</returns>
    public async Task<long> PatchAsync(UploadBody body, long offset, ChecksumKind kind, byte[] digest, long? length)
    {
        using Turn turn = await EnterAsync(body);
        CheckCreated();
        if (_record.Vmcore == VmcoreState.Complete)
            throw offset == Offset ? Refusal.Over() : Refusal.WrongOffset(Offset!.Value);
        OnDisk(() => OpenVmcore());
        VmcoreUpload vmcore = _vmcore!;
        if (offset != vmcore.Offset)
            throw Refusal.WrongOffset(vmcore.Offset);
        if (length is not null)
            Declare(length.Value, vmcore.Offset + (body.Length ?? 0));
        long most = (_record.Length ?? VmcoreUpload.MostBytes) - offset;
        body.Allow(kind == ChecksumKind.None ? most : Math.Min(most, UploadPaths.LongestBlock));
        await CheckSpaceAsync(0);
        if (_log is null)
            await OpenLogAsync();

        try
        {
            if (kind == ChecksumKind.None)
                await ReceiveAsync(vmcore, body, most);
            else
                await ReceiveBlockAsync(vmcore, body, Math.Min(most, UploadPaths.LongestBlock), kind, digest);
        }
        finally
        {
            vmcore.Drop();
            Volatile.Write(ref _offset, vmcore.Offset);
        }

        ShowProgress();
        if (vmcore.Offset == _record.Length)
            CompleteVmcore(vmcore);
        return Offset!.Value;
    }

    /// <summary>Finds out how far an earlier process was. Throws what the disk says.</summary>
    public void Resume()
    {
        if (_record.Vmcore != VmcoreState.Receiving)
            return;
        using (UploadJournal journal = UploadJournal.Open(Directory, out Netdump.Vmcore.Flattened.FlattenedDecoder decoder))
            _offset = decoder.Received;
        if (!File.Exists(Directory.File(VmcoreWriter.IncompleteName)) && File.Exists(Directory.File(VmcoreWriter.CompleteName)))
            Write(_record with { Vmcore = VmcoreState.Complete, Length = _offset, Bytes = new FileInfo(Directory.File(VmcoreWriter.CompleteName)).Length });
    }

    private void CheckCreated()
    {
        switch (_record.Vmcore)
        {
            case VmcoreState.None:
                throw Refusal.NoUpload();
            case VmcoreState.Incomplete:
                throw Refusal.Ended();
        }
    }

    private void OpenVmcore()
    {
        if (_vmcore is not null)
            return;
        _vmcore = VmcoreUpload.Open(Directory, _record.Announcement.MemoryBytes);
        Volatile.Write(ref _offset, _vmcore.Offset);
        _began = MonotonicClock.Now;
        _rate = new RateMeter(_began);
        _nextProgress = _began + ProgressInterval;
    }

    private void Declare(long length, long least)
    {
        if (_record.Length is { } declared && declared != length)
            throw Refusal.BadMessage($"Upload-Length was {declared} before");
        if (length < least || length > VmcoreUpload.MostBytes)
            throw Refusal.TooLarge($"Upload-Length {length} is less than the bytes that come, or more than any dump has");
        if (_record.Length is null)
            Write(_record with { Length = length });
    }

    private async Task FinishVmcoreAsync(CrashDone done)
    {
        OnDisk(() => OpenVmcore());
        VmcoreUpload vmcore = _vmcore!;
        if (done.Bytes is null)
        {
            EndVmcore(); // the client has no more, and does not say that this is all
            return;
        }

        if (done.Bytes != vmcore.Offset || (_record.Length ?? done.Bytes) != done.Bytes)
            throw new Refusal(409, "unfinished", $"{vmcore.Offset} bytes are here, {_record.Length ?? done.Bytes} were to come", "send the rest, then say done again");
        if (done.Digest is not null)
            CheckDigest(done);
        Write(_record with { Length = vmcore.Offset });
        await OnDiskAsync(() => CompleteVmcore(vmcore));
    }

    private void CheckDigest(CrashDone done)
    {
        if (!TusHeaders.TryReadDigest(done.Digest, SHA256.HashSizeInBytes, out byte[] digest))
            throw Refusal.BadMessage("digest is no base64 of 32 bytes");
        byte[]? ours = null;
        int blocks = 0;
        OnDisk(() =>
        {
            using UploadJournal? journal = _vmcore is null ? UploadJournal.Open(Directory, out _) : null;
            ours = journal is null ? _vmcore!.DigestOfBlocks() : journal.DigestOfBlocks();
            blocks = journal?.Count ?? _vmcore!.Blocks;
        });
        if (ours is null)
            throw Refusal.WrongDigest("not all bytes came in blocks with a sha256, so there is no digest of blocks");
        if (!ours.AsSpan().SequenceEqual(digest) || (done.Blocks ?? blocks) != blocks)
            throw Refusal.WrongDigest($"the digest over {blocks} blocks is another");
    }

    private void CompleteVmcore(VmcoreUpload vmcore)
    {
        if (!vmcore.IsWhole)
        {
            Log.DumpIncomplete(_context.Log, Address, Directory.Path, "the flattened stream ended without its end mark");
            EndVmcore();
            return;
        }

        long bytes = 0;
        OnDisk(() => bytes = vmcore.Complete());
        Write(_record with { Vmcore = VmcoreState.Complete, Bytes = bytes, Length = vmcore.Offset });
        Log.DumpComplete(_context.Log, Address, Directory.Path, ByteText.Size(bytes), (MonotonicClock.Now - _began).TotalSeconds);
    }

    private void EndVmcore()
    {
        if (_record.Vmcore != VmcoreState.Receiving)
            return;
        _vmcore?.Dispose();
        _vmcore = null;
        Write(_record with { Vmcore = VmcoreState.Incomplete });
    }

    private void ShowProgress()
    {
        TimeSpan now = MonotonicClock.Now;
        if (now < _nextProgress)
            return;
        _nextProgress = now + ProgressInterval;
        double rate = _rate.Sample((ulong)_offset, now);
        if (_record.Length is { } length)
        {
            TimeSpan? left = rate > 1 ? TimeSpan.FromSeconds(Math.Min((length - _offset) / rate, 99 * 86_400.0)) : null;
            Log.Progress(_context.Log, Address, 100.0 * _offset / length, ByteText.Size(length), rate / 1e6, ByteText.Duration(left));
        }
        else
        {
            Log.UploadProgress(_context.Log, Address, ByteText.Size(_offset), rate / 1e6);
        }
    }
}
