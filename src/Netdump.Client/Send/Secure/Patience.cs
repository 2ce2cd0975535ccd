namespace Netdump.Client.Send.Secure;

/// <summary>How long a request that fails is tried again: pauses that grow, until nothing succeeded for too long. It reads no clock.</summary>
internal sealed class Patience(TimeSpan reachLimit, TimeSpan silenceLimit)
{
    private const int FewestTries = 3; // one of them may have taken all of the time
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(0.25);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    private TimeSpan _failingSince;
    private int _failures;

    /// <summary>Whether the server answered at all.</summary>
    public bool HasReached { get; private set; }

    /// <summary>Something moved on.</summary>
    public void Succeeded() => (HasReached, _failures) = (true, 0);

    /// <summary>Something failed.</summary>
    /// <param name="now">Monotonic time.</param>
    /// <param name="wanted">When the server wants to be asked again; null when it did not say.</param>
    /// <returns>How long to wait before the next try; null: no more of them.</returns>
    public TimeSpan? Failed(TimeSpan now, TimeSpan? wanted)
    {
        if (_failures == 0) _failingSince = now;
        _failures++;
        TimeSpan left = _failingSince + (HasReached ? silenceLimit : reachLimit) - now;
        if (left <= TimeSpan.Zero && _failures >= FewestTries) return null;
        TimeSpan pause = FirstPause * Math.Pow(2, Math.Min(_failures - 1, 10));
        if (pause > LongestPause) pause = LongestPause;
        if (wanted > pause) pause = wanted.Value;
        // The last try comes when the time is up, not later.
        return left > TimeSpan.Zero && pause > left ? left : pause;
    }
}
