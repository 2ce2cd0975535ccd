using System.Diagnostics;
using Netdump.Protocols.Classic;

namespace Netdump.Client.Send;

/// <summary>One try to dump to one server: the socket and the clock around a <see cref="ClassicClientSession"/>. Allocates nothing per page.</summary>
internal sealed class ClassicAttempt : IDisposable
{
    private const int LogDatagramsPerTick = 64;
    private const int LogRoom = 2048; // no datagram of a log is longer
    private static readonly TimeSpan LogTick = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan CaptureTick = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(200); // a cancellation is heard this soon

    private readonly DumpSource _source;
    private readonly SendOptions _options;
    private readonly SendTarget _target;
    private readonly Action<SendProgress>? _report;
    private readonly ClassicSocket _socket;
    private readonly ClassicClientSession _session;
    private readonly LogDatagrams _log;
    private readonly SendMeter _meter;
    private readonly int _pageRoom;
    private readonly byte[] _chunk = new byte[ClassicReplyHeader.ChunkSize];
    private readonly byte[] _zeros;
    private readonly TimeSpan _began;
    private LeftOut? _leftOut;
    private bool _isConnected;
    private bool _isShowingState;
    private bool _isLogSent;
    private long _heard;
    private TimeSpan _lastHeard;
    private TimeSpan _nextLog;
    private TimeSpan _nextReport;

    public ClassicAttempt(DumpSource source, SendOptions options, SendTarget target, ClassicMemoryMap memory, Action<SendProgress>? report)
    {
        _source = source;
        _options = options;
        _target = target;
        _report = report;
        var isOriginalOld = options.Profile is ClassicClientProfile.A or ClassicClientProfile.B;
        _socket = new ClassicSocket(
            target.Address, options.LocalPort, options.LocalAddress,
            segmented: !options.IsPlain && !isOriginalOld); // their LOG pieces are longer than a chunk
        _began = _lastHeard = Now;
        _session = new ClassicClientSession(
            new ClassicClientOptions
            {
                Profile = options.Profile,
                Machine = source.File.Machine,
                PageSize = (uint)source.PageSize,
                Magic = options.Magic,
                Memory = memory,
                PageOffset = source.DirectMapBase,
                Registers = options.Profile == ClassicClientProfile.A ? source.RegistersOfI386() : source.Registers,
                HeaderLength = source.HeaderLength,
                LeavesOut = LeftOut.LevelFor(options, isOurs: true) != 0,
                RebootDelay = options.RebootDelay,
                RestartHandshakeAfter = options.RestartHandshakeAfter,
            },
            _began);
        _log = new LogDatagrams(source, _session, options);
        _meter = new SendMeter(memory.RamPages, source.PageSize);
        _pageRoom = source.PageSize / ClassicReplyHeader.ChunkSize * SendQueue.ChunkDatagram;
        _zeros = new byte[source.PageSize];
    }

    /// <summary>Whether the kernel is asked to cut the datagrams of pages.</summary>
    public bool IsSegmenting => _socket.IsSegmenting;

    public ulong PagesSent => _meter.PagesSent;

    public TimeSpan Elapsed => Now - _began;

    private static TimeSpan Now => Stopwatch.GetElapsedTime(0);

    /// <summary>Goes on until the server has what it wants, refuses or falls silent.</summary>
    public SendOutcome Run(CancellationToken cancellation)
    {
        Report(SendStage.Connecting, SendOutcome.None);
        while (!cancellation.IsCancellationRequested)
        {
            var now = Now;
            _session.Advance(now);
            var outcome = Drain();
            if (outcome == SendOutcome.None)
                outcome = TooLate(now);
            if (outcome != SendOutcome.None)
                return outcome;
            SendLogs(now);
            if (now >= _nextReport)
                ReportProgress(now);
            outcome = Receive(now);
            if (outcome != SendOutcome.None)
                return outcome;
        }
        return SendOutcome.Cancelled;
    }

    public void Report(SendStage stage, SendOutcome outcome) => _report?.Invoke(_meter.Progress(stage, _target, _session.Extension, outcome));

    public void Dispose()
    {
        _log.Dispose();
        _leftOut?.Dispose();
        _socket.Dispose();
    }

    private SendOutcome TooLate(TimeSpan now)
    {
        // While the state is told a server listens and asks for nothing.
        if (_session.Requests != _heard || _isShowingState)
        {
            _heard = _session.Requests;
            _lastHeard = now;
        }
        if (now - _lastHeard <= (_isConnected ? _options.SilenceLimit : _options.AcknowledgeLimit))
            return SendOutcome.None;
        if (_isConnected)
            return SendOutcome.Silent;
        return _socket.IsPortClosed ? SendOutcome.PortClosed : SendOutcome.NoAnswer;
    }

    private SendOutcome Receive(TimeSpan now)
    {
        var wait = Earlier(_session.NextDeadline, Earlier(_nextReport, _nextLog)) - now;
        if (!_socket.Wait(wait < LongestWait ? wait : LongestWait))
            return SendOutcome.None;
        var count = _socket.Receive();
        for (var i = 0; i < count; i++)
        {
            _session.Receive(_socket.Received(i), Now);
            var outcome = Drain();
            if (outcome != SendOutcome.None)
                return outcome;
        }
        return SendOutcome.None;
    }

    private SendOutcome Drain()
    {
        while (_session.TryTakeReply(_socket.Room(LogRoom), out var length))
            _socket.SendOne(length);
        while (_session.TryTakeEffect(out var effect))
        {
            switch (effect.Kind)
            {
                case ClassicClientEffectKind.Connected:
                    Connected();
                    break;
                case ClassicClientEffectKind.SendPage:
                    SendPage(effect);
                    break;
                case ClassicClientEffectKind.SendZeroPage:
                    _socket.SendChunks(_session.WritePage(_socket.Room(_pageRoom), effect.Number, _zeros));
                    break;
                case ClassicClientEffectKind.SendHeader:
                    SendHeader(effect);
                    break;
                case ClassicClientEffectKind.SendBitmap:
                    SendLeftOut(effect);
                    break;
                case ClassicClientEffectKind.ShowState:
                    ShowState();
                    break;
                case ClassicClientEffectKind.Reboot:
                    return SendOutcome.Rebooted;
                case ClassicClientEffectKind.Refused:
                    return SendOutcome.Refused;
                case ClassicClientEffectKind.Exit:
                    return SendOutcome.Exited;
            }
        }
        return SendOutcome.None;
    }

    private void Connected()
    {
        var isFirst = !_isConnected;
        _isConnected = true;
        var level = LeftOut.LevelFor(_options, _session.Extension);
        if (_leftOut?.Level != level)
        {
            _leftOut?.Dispose();
            _leftOut = LeftOut.Of(_source, level, _options.FilterNote);
        }
        // Small and telling things first: the log goes out before the server has its first page.
        if (_session.MayLog && !_log.HasBegun)
        {
            _log.Begin(_session.Extension);
            _nextLog = TimeSpan.Zero;
        }
        if (isFirst)
            Report(SendStage.Connected, SendOutcome.None);
    }

    private void ShowState()
    {
        // Originals are silent until now; what they say then is all the log their server gets of this crash.
        if (!_log.HasBegun)
            _log.Begin(asRecords: false);
        if (!_isShowingState)
            _log.BeginState();
        _isShowingState = true;
        _nextLog = TimeSpan.Zero;
    }

    private void SendPage(in ClassicClientEffect effect)
    {
        // A page left out is not even read: it may be broken memory. A server of ours asks for none of them.
        if (_leftOut!.Contains(effect.Argument))
        {
            _socket.SendOne(_session.WriteLeftOut(_socket.Room(LogRoom), effect.Number, effect.Argument));
            _meter.Sent(effect.Argument);
            return;
        }
        if (!_source.TryGetPage(effect.Argument, out var page))
        {
            _socket.SendOne(_session.WriteUnreadable(_socket.Room(LogRoom), effect.Number));
            return;
        }
        if (_leftOut.Spares(page))
            _socket.SendOne(_session.WriteLeftOut(_socket.Room(LogRoom), effect.Number, effect.Argument));
        else
            _socket.SendChunks(_session.WritePage(_socket.Room(_pageRoom), effect.Number, page));
        _meter.Sent(effect.Argument);
    }

    private void SendLeftOut(in ClassicClientEffect effect)
    {
        if (!_leftOut!.TryCopy(effect.Argument, _chunk, out var more))
            return; // asked again
        _meter.PagesLeftOut += more;
        _socket.SendChunks(_session.WritePage(_socket.Room(SendQueue.ChunkDatagram), effect.Number, _chunk, effect.Argument * ClassicReplyHeader.ChunkSize));
    }

    private void SendHeader(in ClassicClientEffect effect)
    {
        // An error would end the header at the server: what cannot be read now is not answered, and asked for again.
        var offset = (long)effect.Argument * ClassicReplyHeader.ChunkSize;
        if (_source.TryReadHeader(offset, _chunk))
            _socket.SendChunks(_session.WritePage(_socket.Room(SendQueue.ChunkDatagram), effect.Number, _chunk, (uint)offset));
    }

    // Paced: a server's socket buffer holds a few hundred datagrams, and these are not asked for again when they are lost.
    private void SendLogs(TimeSpan now)
    {
        if (now < _nextLog)
            return;
        var sent = 0;
        while (sent < LogDatagramsPerTick && _session.MayLog && _log.TryTake(_socket.Room(LogRoom), out var length))
        {
            _socket.SendOne(length);
            sent++;
        }
        if (_isShowingState && _log.IsDeadLogDone && _log.IsStateDone && sent < LogDatagramsPerTick)
        {
            _isShowingState = false;
            _session.CompleteState();
            _ = Drain();
        }
        if (_log.IsDeadLogDone && !_isLogSent)
        {
            _isLogSent = true;
            Report(SendStage.LogSent, SendOutcome.None);
        }
        _nextLog = now + (sent == LogDatagramsPerTick ? LogTick : CaptureTick);
    }

    private void ReportProgress(TimeSpan now)
    {
        _nextReport = now + _options.ProgressInterval;
        if (!_isConnected)
            return;
        _meter.Measure(now);
        Report(SendStage.Sending, SendOutcome.None);
    }

    private static TimeSpan Earlier(TimeSpan one, TimeSpan other) => one < other ? one : other;
}
