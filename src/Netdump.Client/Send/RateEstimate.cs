namespace Netdump.Client.Send;

/// <summary>A rate that is steady and still follows a change.</summary>
internal struct RateEstimate
{
    private static readonly TimeSpan Memory = TimeSpan.FromSeconds(3);
    private TimeSpan _lastTime;
    private double _lastBytes;

    /// <summary>Bytes a second; 0 while unknown.</summary>
    public double BytesPerSecond { get; private set; }

    /// <summary>Takes what was done in all by now into account.</summary>
    public void Measure(TimeSpan now, double bytes)
    {
        double seconds = (now - _lastTime).TotalSeconds;
        if (_lastTime != TimeSpan.Zero && seconds > 0)
        {
            double rate = (bytes - _lastBytes) / seconds;
            BytesPerSecond = BytesPerSecond == 0 ? rate : rate + ((BytesPerSecond - rate) * Math.Exp(-seconds / Memory.TotalSeconds));
        }
        _lastTime = now;
        _lastBytes = bytes;
    }

    /// <summary>Time for so many bytes more; null while unknown.</summary>
    public readonly TimeSpan? TimeFor(double bytes) => BytesPerSecond > 0 ? TimeSpan.FromSeconds(Math.Min(bytes / BytesPerSecond, 1e9)) : null;
}
