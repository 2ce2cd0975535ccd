using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Netdump.Protocols.Upload;
using Netdump.Vmcore;

namespace Netdump.Client.Send.Secure;

/// <summary>One server's turn: requests one after the other, each until it succeeds, is refused or patience ends; the stream beside the requests.</summary>
internal sealed class SecureAttempt : IDisposable
{
    private const int MostRestarts = 2;
    private const int MostRepeats = 4;

    private readonly VmcoreFile _file;
    private readonly DeadLog _log;
    private readonly SecureOptions _options;
    private readonly SecureTarget _target;
    private readonly UploadBlock[] _blocks;
    private readonly Action<SendProgress>? _report;
    private readonly UploadConnection _connection;
    private readonly UploadMeter _meter;
    private readonly Patience _patience;
    private readonly TimeSpan _began = Now;
    private readonly CrashAnnouncement _announcement;
    private CancellationToken _cancellation;
    private TimeSpan _nextReport;
    private bool _isConnected;
    private bool _isLogSent;
    private string _path = "";
    private volatile string? _crash;

    public SecureAttempt(VmcoreFile file, DeadLog log, SecureOptions options, SecureTarget target, UploadBlock[] blocks, Action<SendProgress>? report)
    {
        _file = file;
        _log = log;
        _options = options;
        _target = target;
        _blocks = blocks;
        _report = report;
        _connection = new UploadConnection(target, options);
        _patience = new Patience(options.ReachLimit, options.SilenceLimit);
        _meter = new UploadMeter(file.PageSize) { Total = VmcoreStream.PagesOf(file) };
        _announcement = VmcoreStream.Announce(file, options);
    }

    private static TimeSpan Now => Stopwatch.GetElapsedTime(0);

    /// <summary>Goes on until the server has what it wants, refuses, or patience ends.</summary>
    public SendResult Run(CancellationToken cancellation)
    {
        _cancellation = cancellation;
        Report(SendStage.Connecting, SendOutcome.None);
        string? reason = null;
        SendOutcome outcome;
        try
        {
            outcome = SendWithRestarts();
        }
        catch (UploadFault fault)
        {
            (outcome, reason) = (OutcomeOf(fault), fault.Message);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            outcome = SendOutcome.Cancelled;
        }
        SendResult result = new(outcome, _target, _meter.PagesSent, Now - _began) { Reason = reason, Crash = _crash };
        Report(result.IsDone || outcome == SendOutcome.Cancelled ? SendStage.Ended : SendStage.GivenUp, outcome, reason);
        return result;
    }

    public void Dispose() => _connection.Dispose();

    private SendOutcome SendWithRestarts()
    {
        for (int start = 0; ; start++)
        {
            try
            {
                return Send(start);
            }
            catch (UploadFault fault) when (fault.Kind == FaultKind.Gone && start < MostRestarts)
            {
                _options.Note?.Invoke($"{fault.Message}: the dump is sent again from its beginning");
                _meter.Reset();
            }
            catch (UploadFault fault) when (fault.Kind == FaultKind.Gone)
            {
                throw new UploadFault(FaultKind.Refused, fault.Message, fault);
            }
        }
    }

    private SendOutcome Send(int start)
    {
        CrashAnswer answer = Await(OpenAsync(start));
        TellConnected();
        if (!_isLogSent) Report(SendStage.LogSent, SendOutcome.None);
        _isLogSent = true;
        if (answer.Vmcore == WantedVmcore.None)
            return answer.Refusal == 507 ? throw new UploadFault(FaultKind.NoSpace, UploadFault.Plain(answer.Reason ?? "the server has no room")) : Await(FinishAsync(null));
        bool isOver = !Await(CreateAsync());
        if (isOver) return Await(FinishAsync(null)); // an earlier process had sent all
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(_cancellation);
        Task upload = Task.CompletedTask;
        using BlockStream stream = new(_blocks, answer.VmcoreOffset ?? 0, () => Tick(upload), _options.ProgressInterval);
        upload = UploadAsync(stream, stop.Token);
        (long Blocks, byte[] Digest)? sums;
        try
        {
            VmcoreStream.Write(_file, answer.Vmcore == WantedVmcore.Full ? 0 : answer.DumpLevel ?? _options.DumpLevel, _options, _meter, stream, () => Tick(upload));
            sums = stream.Complete();
            Await(upload);
        }
        catch
        {
            stop.Cancel();
            ((IAsyncResult)upload).AsyncWaitHandle.WaitOne(); // it holds blocks; its own trouble is what stopped us, or of no use now
            if (upload.IsFaulted) upload.GetAwaiter().GetResult();
            throw;
        }
        if (stream.Length < answer.VmcoreOffset) throw new UploadFault(FaultKind.Gone, $"the server has {answer.VmcoreOffset} bytes of another stream");
        return Await(FinishAsync(new CrashDone
        {
            Bytes = stream.Length,
            Blocks = sums?.Blocks,
            Digest = sums is { } all ? Convert.ToBase64String(all.Digest) : null,
        }));
    }

    // Announcement, log, tasks: what is small and says why.
    private async Task<CrashAnswer> OpenAsync(int start)
    {
        CrashAnnouncement announcement = _announcement with { Id = IdOf(_announcement.Id, start) };
        (CrashAnswer answer, _path) = await PersistAsync(() => _connection.AnnounceAsync(announcement, _cancellation));
        _crash = UploadFault.Plain(answer.Crash);
        if (answer.Reason is { } reason) _options.Note?.Invoke($"{_target.Name}: {UploadFault.Plain(reason)}");
        if (!answer.HasLog) await PutAsync("log", UploadPaths.Log, () => new LogContent(_log));
        if (!answer.HasTasks && _options.State is { } state) await PutAsync("list of tasks", UploadPaths.Tasks, () => new TasksContent(state));
        return answer;
    }

    private async Task PutAsync(string what, string name, Func<HttpContent> make)
    {
        try
        {
            await PersistAsync(async () =>
            {
                using HttpContent content = make();
                await _connection.PutAsync($"{_path}/{name}", content, _cancellation);
                return true;
            });
        }
        catch (UploadFault fault) when (fault.Kind is FaultKind.Refused or FaultKind.Over)
        {
            _options.Note?.Invoke($"the {what} is not taken: {fault.Message}"); // the vmcore is worth more
        }
    }

    private async Task<bool> CreateAsync()
    {
        try
        {
            await PersistAsync(async () =>
            {
                await _connection.CreateAsync(_path, VmcoreStream.LengthOf(_file), _cancellation);
                return true;
            });
            return true;
        }
        catch (UploadFault fault) when (fault.Kind == FaultKind.Over)
        {
            return false;
        }
    }

    private async Task UploadAsync(BlockStream stream, CancellationToken cancellation)
    {
        await foreach (UploadBlock block in stream.TakeAsync(cancellation))
        {
            _meter.Sending(block);
            await SendBlockAsync(block, cancellation);
            _patience.Succeeded();
            _meter.Stored(block.Pages);
            stream.Return(block);
        }
    }

    private async Task SendBlockAsync(UploadBlock block, CancellationToken cancellation)
    {
        int repeats = 0;
        while (true)
        {
            try
            {
                long reached = await _connection.PatchAsync(_path, block, cancellation);
                if (reached == block.End) return;
                throw new UploadFault(FaultKind.Gone, $"{_target.Name} stands at {reached} where {block.End} bytes were sent");
            }
            catch (UploadFault fault) when (fault.Kind is FaultKind.Digest or FaultKind.WrongOffset or FaultKind.Over && ++repeats < MostRepeats)
            {
                if (fault.Kind == FaultKind.Digest) _options.Note?.Invoke($"a block was damaged on its way to {_target.Name}: it is sent again");
            }
            catch (UploadFault fault) when (fault.IsPassing)
            {
                await PauseAsync(fault, cancellation);
            }
            // The answer may have been lost with the connection.
            long standing = await PersistAsync(() => _connection.StandingAsync(_path, cancellation), isProgress: false, cancellation);
            if (standing == block.End) return;
            if (standing != block.Offset) throw new UploadFault(FaultKind.Gone, $"{_target.Name} stands at {standing} where {block.Offset} bytes were acknowledged");
        }
    }

    private async Task<SendOutcome> FinishAsync(CrashDone? done)
    {
        done = (done ?? new CrashDone()) with { Notes = _options.Notes?.Invoke() };
        CrashResult result;
        try
        {
            result = await PersistAsync(() => _connection.FinishAsync(_path, done, _cancellation));
        }
        catch (UploadFault fault) when (fault.Kind == FaultKind.Digest)
        {
            // What an earlier process sent is not what the dump says now: it stays as it is, marked as incomplete.
            await PersistAsync(async () =>
            {
                await _connection.EndAsync(_path, _cancellation);
                return true;
            });
            throw new UploadFault(FaultKind.Gone, fault.Message, fault);
        }
        return result.Vmcore switch
        {
            "complete" => SendOutcome.Stored,
            "none" when done.Bytes is null => SendOutcome.NotWanted,
            _ => throw new UploadFault(FaultKind.Refused, $"{_target.Name} holds the vmcore for {UploadFault.Plain(result.Vmcore)}; see the server's log"),
        };
    }

    private Task<T> PersistAsync<T>(Func<Task<T>> request) => PersistAsync(request, isProgress: true, _cancellation);

    private async Task<T> PersistAsync<T>(Func<Task<T>> request, bool isProgress, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                T result = await request();
                if (isProgress) _patience.Succeeded();
                return result;
            }
            catch (UploadFault fault) when (fault.IsPassing)
            {
                await PauseAsync(fault, cancellation);
            }
        }
    }

    private async Task PauseAsync(UploadFault fault, CancellationToken cancellation)
    {
        if (_patience.Failed(Now, fault.RetryAfter) is not { } pause) throw fault;
        _options.Note?.Invoke($"{fault.Message}; the next try follows in {pause.TotalSeconds.ToString("0.##", CultureInfo.InvariantCulture)} s");
        await Task.Delay(pause, cancellation);
    }

    private T Await<T>(Task<T> task)
    {
        Await((Task)task);
        return task.Result;
    }

    private void Await(Task task)
    {
        while (!((IAsyncResult)task).AsyncWaitHandle.WaitOne(_options.ProgressInterval)) Tick(null);
        task.GetAwaiter().GetResult();
    }

    // On the calling thread, now and then: what is due is told; what stopped the upload stops the stream.
    private void Tick(Task? upload)
    {
        _cancellation.ThrowIfCancellationRequested();
        if (upload?.IsFaulted == true) upload.GetAwaiter().GetResult();
        TimeSpan now = Now;
        if (now < _nextReport) return;
        _nextReport = now + _options.ProgressInterval;
        TellConnected();
        if (!_isLogSent) return;
        _meter.Measure(now);
        Report(SendStage.Sending, SendOutcome.None);
    }

    private void TellConnected()
    {
        if (_isConnected || _crash is null) return;
        _isConnected = true;
        Report(SendStage.Connected, SendOutcome.None);
    }

    private void Report(SendStage stage, SendOutcome outcome, string? reason = null) =>
        _report?.Invoke(_meter.Progress(stage, _target, outcome) with { Reason = reason });

    private SendOutcome OutcomeOf(UploadFault fault) => fault.Kind switch
    {
        FaultKind.WrongKey => SendOutcome.WrongServerKey,
        FaultKind.NotEnrolled => SendOutcome.NotEnrolled,
        FaultKind.NotWanted => SendOutcome.NotWanted,
        FaultKind.NoSpace => SendOutcome.NoSpace,
        _ when fault.IsPassing && _patience.HasReached => SendOutcome.Silent,
        FaultKind.PortClosed => SendOutcome.PortClosed,
        FaultKind.Unreachable => SendOutcome.Unreachable,
        FaultKind.Lost or FaultKind.Busy => SendOutcome.NoAnswer,
        _ => SendOutcome.Refused,
    };

    // A dump that has to be sent anew is another sending; the next process that comes to the same point finds it again.
    private static Guid? IdOf(Guid? id, int start)
    {
        if (start == 0 || id is not { } first) return id;
        byte[] text = [.. first.ToByteArray(bigEndian: true), (byte)start];
        return new Guid(SHA256.HashData(text).AsSpan(0, 16), bigEndian: true);
    }
}
