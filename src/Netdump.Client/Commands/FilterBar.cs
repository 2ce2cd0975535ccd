using System.Diagnostics;
using System.Globalization;

namespace Netdump.Client.Commands;

/// <summary>Shows on a terminal how far a filter is; elsewhere nothing.</summary>
internal sealed class FilterBar(TextWriter output, bool isTerminal) : IDisposable
{
    private const int Width = 24;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _writingSince;
    private TimeSpan _shownAt = -Interval;
    private bool _isShown;
    private bool _isWriting;

    /// <summary>A walk over the page structures.</summary>
    /// <param name="page">The page it has come to.</param>
    /// <param name="end">The one behind the last.</param>
    public void ShowLooking(ulong page, ulong end)
    {
        if (!_isWriting) // the second walk goes along with the writing
            Show("looking for pages to leave out", page, end, null);
    }

    /// <summary>The writing of pages.</summary>
    /// <param name="done">Pages written.</param>
    /// <param name="total">Pages to write.</param>
    public void ShowWriting(ulong done, ulong total)
    {
        if (!_isWriting)
            (_isWriting, _writingSince) = (true, _clock.Elapsed);
        var elapsed = _clock.Elapsed - _writingSince;
        Show("writing", done, total, done > 0 && elapsed.TotalSeconds > 1 ? elapsed * ((double)(total - done) / done) : null);
    }

    /// <summary>Takes the bar away.</summary>
    public void Dispose()
    {
        if (_isShown)
            output.Write("\r\e[K");
    }

    private void Show(string what, ulong done, ulong total, TimeSpan? left)
    {
        if (!isTerminal || total == 0 || _clock.Elapsed - _shownAt < Interval)
            return;
        (_shownAt, _isShown) = (_clock.Elapsed, true);
        var share = Math.Min(1, (double)done / total);
        var filled = (int)(share * Width);
        var time = left is { } seconds ? string.Create(CultureInfo.InvariantCulture, $", {seconds.TotalSeconds:0} s left") : "";
        output.Write(string.Create(
            CultureInfo.InvariantCulture, $"\r[{new string('#', filled)}{new string('.', Width - filled)}] {share * 100,5:0.0} % {what}{time}\e[K"));
    }
}
