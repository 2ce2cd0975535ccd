namespace Netdump.Client.Send;

/// <summary>Counts pages that went out, each once, and how fast.</summary>
/// <param name="pagesTotal">Pages of memory.</param>
/// <param name="pageSize">Bytes of a page.</param>
internal sealed class SendMeter(ulong pagesTotal, int pageSize)
{
    // A request that was lost is asked again when pages behind it are long sent: which of the last 4 GiB went out is remembered.
    private const int Remembered = 1 << 20;
    private readonly ulong[] _sent = new ulong[Remembered / 64];
    private long _highest = -1;
    private RateEstimate _rate;

    public ulong PagesSent { get; private set; }

    /// <summary>Pages that will not be asked: they are left out.</summary>
    public ulong PagesLeftOut { get; set; }

    public double BytesPerSecond => _rate.BytesPerSecond;

    /// <summary>A page of memory went out. Servers ask in ascending order, but for what they have to ask again.</summary>
    public void Sent(uint page)
    {
        if (page <= _highest - Remembered)
            return; // asked again from the start: counted long ago
        for (var next = Math.Max(_highest + 1, page - (long)Remembered + 1); next <= page; next++)
            Word(next) &= ~Bit(next);
        _highest = Math.Max(_highest, page);
        if ((Word(page) & Bit(page)) != 0)
            return;
        Word(page) |= Bit(page);
        PagesSent++;
    }

    /// <summary>Takes the rate since the last call into account.</summary>
    public void Measure(TimeSpan now) => _rate.Measure(now, PagesSent * (double)pageSize);

    public SendProgress Progress(SendStage stage, SendTarget target, bool isOurs, SendOutcome outcome)
    {
        var total = Math.Max(PagesSent, pagesTotal - Math.Min(pagesTotal, PagesLeftOut));
        var left = (total - PagesSent) * (double)pageSize;
        return new SendProgress(
            stage, target, PagesSent, total, PagesSent * (ulong)pageSize, total * (ulong)pageSize, BytesPerSecond,
            _rate.TimeFor(left), isOurs, outcome);
    }

    private static ulong Bit(long page) => 1UL << (int)(page % 64);

    private ref ulong Word(long page) => ref _sent[page % Remembered / 64];
}
