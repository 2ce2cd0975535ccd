namespace Netdump.Protocols.Classic;

/// <summary>
/// Retransmission timeout from measured round trips, after RFC 6298: smoothed mean plus four deviations, backed off by 1.5 for each
/// round of timeouts until the next sample. Requests that were sent twice give no sample (Karn), which the caller sees to.
/// </summary>
internal sealed class RoundTripEstimator(TimeSpan initial, TimeSpan minimum, TimeSpan maximum)
{
    private long _mean;
    private long _deviation;
    private bool _sampled;

    /// <summary>Timeout for a request sent now.</summary>
    public TimeSpan Timeout { get; private set; } = initial;

    /// <summary>Smoothed round trip, zero before the first sample.</summary>
    public TimeSpan Mean => TimeSpan.FromTicks(_mean);

    /// <summary>How much later a request may have been sent and still be answered first without anything being lost.</summary>
    public TimeSpan Reordering => TimeSpan.FromTicks(Math.Max((_mean / 4) + (2 * _deviation), TimeSpan.TicksPerMillisecond));

    /// <summary>Takes a measured round trip.</summary>
    public void Add(TimeSpan sample)
    {
        long ticks = Math.Max(sample.Ticks, 0);
        if (_sampled)
        {
            _deviation += (Math.Abs(_mean - ticks) - _deviation) / 4;
            _mean += (ticks - _mean) / 8;
        }
        else
        {
            _mean = ticks;
            _deviation = ticks / 2;
            _sampled = true;
        }

        Timeout = TimeSpan.FromTicks(Math.Clamp(_mean + (4 * _deviation), minimum.Ticks, maximum.Ticks));
    }

    /// <summary>Answers a round of timeouts.</summary>
    public void BackOff() => Timeout = Longer(Timeout);

    /// <summary>The timeout that follows <paramref name="timeout"/>: 1.5 times, up to the maximum.</summary>
    public TimeSpan Longer(TimeSpan timeout) => TimeSpan.FromTicks(Math.Min(timeout.Ticks + (timeout.Ticks / 2), maximum.Ticks));
}
