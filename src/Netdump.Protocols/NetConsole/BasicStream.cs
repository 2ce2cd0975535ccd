namespace Netdump.Protocols.NetConsole;

/// <summary>The basic text of one sender: cut lines joined, boots told apart, delivered line by line in order of arrival.</summary>
internal sealed class BasicStream(ConsoleWorkspace workspace)
{
    // A banner waits this long for the command line behind it, which tells a capture kernel from a reboot.
    private static readonly TimeSpan BannerTimeout = RecordOrder.BannerTimeout;
    private const int BannerBytes = 4096;

    private BasicLineJoiner? _lines;
    private byte[]? _banner;
    private int _bannerLength;
    private TimeSpan _bannerUntil;
    private BootVerdict _verdict;
    private bool _captureKernel;

    /// <summary>Which boot the lines belong to.</summary>
    public BootWatch Boot { get; } = new();

    /// <summary>When <see cref="Advance"/> has something to do; <see cref="TimeSpan.MaxValue"/> for never.</summary>
    public TimeSpan NextDeadline
    {
        get
        {
            TimeSpan lines = _lines?.NextDeadline ?? TimeSpan.MaxValue;
            return _banner is not null && _bannerUntil < lines ? _bannerUntil : lines;
        }
    }

    /// <summary>Whether a line is unfinished: the next datagram may be its rest.</summary>
    public bool Continues(TimeSpan now) => _lines is not null && _lines.IsPending(now);

    /// <summary>Takes a datagram.</summary>
    public void Receive(ReadOnlySpan<byte> datagram, TimeSpan now, ConsoleSink sink)
    {
        _lines ??= new BasicLineJoiner();
        ReadOnlySpan<byte> complete = _lines.Add(datagram, now, out ReadOnlySpan<byte> abandoned);
        if (!abandoned.IsEmpty) Take(abandoned, now, sink);
        while (!complete.IsEmpty)
        {
            int newline = complete.IndexOf((byte)'\n');
            Take(newline < 0 ? complete : complete[..newline], now, sink);
            complete = newline < 0 ? default : complete[(newline + 1)..];
        }
    }

    /// <summary>Delivers what has been waited for long enough.</summary>
    public void Advance(TimeSpan now, ConsoleSink sink)
    {
        if (_banner is not null && _bannerUntil <= now) EndBanner(sink);
        if (_lines is not null && _lines.TryTakeExpired(now, out ReadOnlySpan<byte> line)) Take(line, now, sink);
    }

    /// <summary>Delivers everything that is held.</summary>
    public void Flush(TimeSpan now, ConsoleSink sink)
    {
        if (_lines is not null && _lines.TryTakeExpired(TimeSpan.MaxValue, out ReadOnlySpan<byte> line)) Take(line, now, sink);
        EndBanner(sink);
    }

    private void Take(ReadOnlySpan<byte> raw, TimeSpan now, ConsoleSink sink)
    {
        BasicLine line = BasicLine.Parse(raw);
        BootVerdict verdict = Boot.Observe(line, now);
        if (verdict != BootVerdict.Same)
        {
            EndBanner(sink);
            _verdict = verdict;
            _captureKernel = false;
            if (BootWatch.IsBanner(line.Text)) BeginBanner(now);
        }

        if (_banner is not null)
        {
            bool decided = CaptureKernel.IsAnyCommandLine(line.Text);
            if (decided) _captureKernel = Boot.NeverSleeps = CaptureKernel.IsCommandLine(line.Text);
            bool kept = TryKeep(raw);
            if (kept && !decided) return;
            EndBanner(sink);
            if (kept) return;
        }

        Hand(raw, line, sink);
    }

    private void BeginBanner(TimeSpan now)
    {
        _banner = workspace.Windows.TryRent(BannerBytes);
        _bannerLength = 0;
        _bannerUntil = now + BannerTimeout;
    }

    private bool TryKeep(ReadOnlySpan<byte> raw)
    {
        if (_bannerLength + raw.Length + 1 > _banner!.Length) return false;
        raw.CopyTo(_banner.AsSpan(_bannerLength));
        _bannerLength += raw.Length;
        _banner[_bannerLength++] = (byte)'\n';
        return true;
    }

    private void EndBanner(ConsoleSink sink)
    {
        if (_banner is null) return;
        ReadOnlySpan<byte> rest = _banner.AsSpan(0, _bannerLength);
        while (!rest.IsEmpty)
        {
            int newline = rest.IndexOf((byte)'\n');
            Hand(rest[..newline], BasicLine.Parse(rest[..newline]), sink);
            rest = rest[(newline + 1)..];
        }

        workspace.Windows.Return(_banner);
        _banner = null;
    }

    private void Hand(ReadOnlySpan<byte> raw, in BasicLine line, ConsoleSink sink)
    {
        bool loss = BasicLine.TryReadDropped(line.Text, out ulong dropped);
        BootVerdict verdict = _captureKernel ? BootVerdict.Same : _verdict;
        _verdict = BootVerdict.Same;
        sink(new ConsoleRecord
        {
            Kind = loss ? ConsoleRecordKind.Loss : ConsoleRecordKind.Line,
            Boot = verdict,
            Raw = raw,
            Text = line.Text,
            Priority = line.Priority,
            Microseconds = line.HasTime ? line.Microseconds : null,
            Lost = dropped,
            IsCapture = _captureKernel,
        });
    }
}
