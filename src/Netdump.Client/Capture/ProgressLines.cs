namespace Netdump.Client.Capture;

/// <summary>Makes the console's progress lines: how much of the dump has gone out, how fast, how long it still takes.</summary>
/// <param name="interval">Time between two lines.</param>
public sealed class ProgressLines(TimeSpan interval)
{
    private const double MegaByte = 1e6;
    private TimeSpan? _lastTime;
    private ulong _lastSent;
    private double _rate;

    /// <summary>Tells the state; gives a line when one is due.</summary>
    /// <param name="sent">Bytes sent in this session.</param>
    /// <param name="total">Bytes in the dump.</param>
    /// <param name="now">Monotonic time.</param>
    public string? Update(ulong sent, ulong total, TimeSpan now)
    {
        if (_lastTime is not { } last || sent < _lastSent) // the first call, or a new session that begins at its start
        {
            _lastTime = now;
            _lastSent = sent;
            _rate = 0;
            return null;
        }
        TimeSpan passed = now - last;
        if (passed < interval || passed <= TimeSpan.Zero) return null;
        double rate = (sent - _lastSent) / passed.TotalSeconds;
        _rate = _rate == 0 ? rate : (_rate + rate) / 2; // steadier, and still follows a change within a few lines
        _lastTime = now;
        _lastSent = sent;
        double percent = total == 0 ? 0 : Math.Min(100, 100.0 * sent / total);
        string left = _rate > 0 && total > sent ? $"{Duration((total - sent) / _rate)} left" : total > sent ? "waiting" : "ending";
        return $"{percent:0.0} % of {total / MegaByte:0} MB, {rate / MegaByte:0.0} MB/s, {left}";
    }

    private static string Duration(double seconds) => seconds switch
    {
        < 90 => $"{seconds:0} s",
        < 5400 => $"{seconds / 60:0} min",
        _ => $"{seconds / 3600:0.0} h",
    };
}
