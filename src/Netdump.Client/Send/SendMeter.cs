namespace Netdump.Client.Send;

/// <summary>Counts pages that went out, each once, and how fast.</summary>
/// <param name="pagesTotal">Pages of memory.</param>
/// <param name="pageSize">Bytes of a page.</param>
internal sealed class SendMeter(ulong pagesTotal, int pageSize)
{
    private long _highest = -1;
    private TimeSpan _lastTime;
    private ulong _lastPages;

    public ulong PagesSent { get; private set; }

    public double BytesPerSecond { get; private set; }

    /// <summary>A page of memory went out. Servers ask in ascending order, so one below the highest was asked for again.</summary>
    public void Sent(uint page)
    {
        if (page <= _highest)
            return;
        _highest = page;
        PagesSent++;
    }

    /// <summary>Takes the rate since the last call into account.</summary>
    public void Measure(TimeSpan now)
    {
        var seconds = (now - _lastTime).TotalSeconds;
        if (_lastTime != TimeSpan.Zero && seconds > 0)
        {
            var rate = (PagesSent - _lastPages) * (double)pageSize / seconds;
            BytesPerSecond = BytesPerSecond == 0 ? rate : (BytesPerSecond + rate) / 2; // steadier, and still follows a change
        }
        _lastTime = now;
        _lastPages = PagesSent;
    }

    public SendProgress Progress(SendStage stage, SendTarget target, bool isOurs, SendOutcome outcome)
    {
        var left = (pagesTotal - PagesSent) * (double)pageSize;
        return new SendProgress(
            stage, target, PagesSent, pagesTotal, PagesSent * (ulong)pageSize, pagesTotal * (ulong)pageSize, BytesPerSecond,
            BytesPerSecond > 0 ? TimeSpan.FromSeconds(Math.Min(left / BytesPerSecond, 1e9)) : null, isOurs, outcome);
    }
}
