namespace Netdump.Server.Receivers.Classic;

/// <summary>How far a dump is. Pages are those that hold memory: reserved ranges count neither as done nor as to be done.</summary>
/// <param name="DonePages">Pages received.</param>
/// <param name="TotalPages">Pages of memory, as far as the client told.</param>
/// <param name="PageSize">Bytes of one page.</param>
/// <param name="BytesPerSecond">Rate over the last seconds; 0 until measured.</param>
public readonly record struct DumpProgress(ulong DonePages, ulong TotalPages, uint PageSize, double BytesPerSecond)
{
    /// <summary>Share done, 0 to 1.</summary>
    public double Fraction => TotalPages == 0 ? 0 : Math.Min(1, (double)DonePages / TotalPages);

    /// <summary>Bytes of memory in all.</summary>
    public double TotalBytes => (double)TotalPages * PageSize;

    /// <summary>Time to the end at this rate; null until the rate is known.</summary>
    public TimeSpan? Left =>
        BytesPerSecond > 1 ? TimeSpan.FromSeconds(Math.Min(TimeSpan.FromDays(99).TotalSeconds, TotalBytes * (1 - Fraction) / BytesPerSecond)) : null;
}

/// <summary>Measures a dump's rate from counts taken now and then; old seconds weigh less.</summary>
internal struct RateMeter
{
    private TimeSpan _last;
    private ulong _lastPages;
    private double _rate;

    public RateMeter(TimeSpan now) => _last = now;

    /// <summary>Takes a sample and gives pages per second.</summary>
    public double Sample(ulong pages, TimeSpan now)
    {
        double seconds = (now - _last).TotalSeconds;
        if (seconds < 0.1)
            return _rate;
        double current = (pages - _lastPages) / seconds;
        _rate = _lastPages == 0 ? current : 0.5 * _rate + 0.5 * current;
        (_last, _lastPages) = (now, pages);
        return _rate;
    }
}
