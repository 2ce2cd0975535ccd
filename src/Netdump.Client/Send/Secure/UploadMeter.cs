namespace Netdump.Client.Send.Secure;

/// <summary>Counts what the server has on its disk, and of the block on its way what went out. Thread-safe.</summary>
/// <param name="pageSize">Bytes of a page.</param>
internal sealed class UploadMeter(int pageSize)
{
    private readonly Lock _lock = new();
    private RateEstimate _rate;
    private UploadBlock? _underway;
    private ulong _stored;
    private ulong _most;
    private ulong _total;

    /// <summary>Pages that are to be sent, as far as it is known.</summary>
    public ulong Total
    {
        set
        {
            lock (_lock) _total = value;
        }
    }

    /// <summary>Pages that have gone out.</summary>
    public ulong PagesSent
    {
        get
        {
            lock (_lock) return Sent();
        }
    }

    /// <summary>A block is on its way.</summary>
    public void Sending(UploadBlock block)
    {
        lock (_lock) _underway = block;
    }

    /// <summary>The server has all pages up to this one.</summary>
    public void Stored(ulong pages)
    {
        lock (_lock)
        {
            _stored = pages;
            _underway = null;
        }
    }

    /// <summary>The stream begins anew.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            (_stored, _most, _underway) = (0, 0, null);
            _rate = default;
        }
    }

    /// <summary>Takes the rate since the last call into account.</summary>
    public void Measure(TimeSpan now)
    {
        lock (_lock) _rate.Measure(now, Sent() * (double)pageSize);
    }

    public SendProgress Progress(SendStage stage, SendTarget target, SendOutcome outcome)
    {
        lock (_lock)
        {
            ulong sent = Sent();
            ulong total = Math.Max(sent, _total);
            return new SendProgress(
                stage, target, sent, total, sent * (ulong)pageSize, total * (ulong)pageSize, _rate.BytesPerSecond,
                _rate.TimeFor((total - sent) * (double)pageSize), IsOurs: true, outcome);
        }
    }

    // What is sent again was counted before.
    private ulong Sent()
    {
        ulong sent = _stored;
        if (_underway is { Length: > 0 } block && block.Pages > _stored) sent += (ulong)((block.Pages - _stored) * ((double)block.Sent / block.Length));
        return _most = Math.Max(_most, sent);
    }
}
