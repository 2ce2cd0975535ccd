namespace Netdump.Protocols.NetConsole;

/// <summary>What a record says about the boot it belongs to.</summary>
public enum BootVerdict
{
    /// <summary>The boot of the stream's records before it.</summary>
    Same,

    /// <summary>The stream's first record: whoever knows the host's other streams must judge.</summary>
    First,

    /// <summary>Another boot than the stream's records before it.</summary>
    New,
}

/// <summary>
/// Finds reboots in one stream of records (netconsole.md 4.4). The epoch is when the sender's clock read zero, on our clock:
/// delays only make single estimates later, so the least of them counts.
/// </summary>
public sealed class BootWatch
{
    /// <summary>Estimates of one boot differ by less than this.</summary>
    public static readonly TimeSpan EpochTolerance = TimeSpan.FromSeconds(5);

    /// <summary>Highest number of a kernel's first line: some print one or two before it.</summary>
    internal const ulong BannerSequence = 2;

    private static readonly TimeSpan RestartTolerance = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan BasicTimeTolerance = TimeSpan.FromSeconds(1);
    private const int IdentityLimit = 64;
    private const ulong Overtaking = 64;

    // Microseconds, a hundred years: nobody's clock reads more, and sums with it stay far from the ends of TimeSpan.
    private const ulong LongestUptime = 100UL * 365 * 86_400 * 1_000_000;

    private bool _any;
    private bool _timed;
    private ulong _lastSequence;
    private ulong _lastMicroseconds;
    private TimeSpan _startedAt;
    private TimeSpan _lastAt;
    private byte[] _bootId = [];
    private byte[] _release = [];

    /// <summary>Least estimate of this boot's epoch; <see cref="TimeSpan.MaxValue"/> while no record carried a time.</summary>
    public TimeSpan Epoch { get; private set; } = TimeSpan.MaxValue;

    /// <summary>Value of the `boot` userdata line, when the sender sets it.</summary>
    public ReadOnlySpan<byte> BootId => _bootId;

    /// <summary>
    /// Whether this boot is a capture kernel's, which never sleeps: a later epoch is then another boot, even if all numbers go on.
    /// Ends with the boot.
    /// </summary>
    public bool NeverSleeps { get; set; }

    /// <summary>The epoch that one record's time stands for.</summary>
    public static TimeSpan EpochOf(ulong microseconds, TimeSpan now) =>
        now - TimeSpan.FromMicroseconds((long)Math.Min(microseconds, LongestUptime));

    /// <summary>Whether a text is the first line of every kernel.</summary>
    internal static bool IsBanner(ReadOnlySpan<byte> text) => text.StartsWith("Linux version "u8);

    /// <summary>Judges an extended record, given whether its number is known in the present boot; <see cref="Accept"/> goes on from it.</summary>
    public BootVerdict Judge(in ExtendedRecord record, ReadOnlySpan<byte> bootId, ReadOnlySpan<byte> release, bool known, TimeSpan now) =>
        !_any ? BootVerdict.First
        : Differs(_bootId, bootId) || Differs(_release, release) || NumbersStartOver(record, known, now) ? BootVerdict.New
        : BootVerdict.Same;

    /// <summary>Goes on from an extended record that was judged.</summary>
    public void Accept(BootVerdict verdict, in ExtendedRecord record, ReadOnlySpan<byte> bootId, ReadOnlySpan<byte> release, TimeSpan now)
    {
        Begin(verdict, now);
        _lastSequence = verdict == BootVerdict.Same ? Math.Max(_lastSequence, record.Sequence) : record.Sequence;
        KeepTime(record.Microseconds, EpochOf(record.Microseconds, now));
        if (!bootId.IsEmpty && _bootId.Length == 0) _bootId = bootId[..Math.Min(bootId.Length, IdentityLimit)].ToArray();
        if (!release.IsEmpty && _release.Length == 0) _release = release[..Math.Min(release.Length, IdentityLimit)].ToArray();
    }

    /// <summary>Whether a record's numbers alone say that it belongs to another boot than those before it.</summary>
    /// <param name="record">The record, or a piece of it.</param>
    /// <param name="known">Whether its number has been seen in the present boot.</param>
    /// <param name="now">Time of arrival.</param>
    public bool NumbersStartOver(in ExtendedRecord record, bool known, TimeSpan now)
    {
        if (!_any) return false;
        if (record.Sequence <= BannerSequence && IsBanner(record.EscapedText))
        {
            // A copy of the banner, or the banner overtaken by its first followers, is no second boot.
            bool justBegan = now - _startedAt < RestartTolerance && (known || _lastSequence <= Overtaking);
            if (!justBegan) return true;
        }

        bool back = NeverSleeps || record.Sequence <= _lastSequence || record.Microseconds < _lastMicroseconds;
        return back && IsLaterBoot(EpochOf(record.Microseconds, now));
    }

    /// <summary>Judges a line of basic text.</summary>
    public BootVerdict Observe(in BasicLine line, TimeSpan now)
    {
        TimeSpan epoch = line.HasTime ? EpochOf(line.Microseconds, now) : default;
        bool wentBack = line.HasTime && _timed
            && (NeverSleeps || line.Microseconds + (ulong)BasicTimeTolerance.TotalMicroseconds < _lastMicroseconds);
        BootVerdict verdict = !_any ? BootVerdict.First
            : IsBanner(line.Text) && now - _startedAt >= RestartTolerance ? BootVerdict.New
            : wentBack && IsLaterBoot(epoch) ? BootVerdict.New
            : BootVerdict.Same;
        Begin(verdict, now);
        if (line.HasTime) KeepTime(line.Microseconds, epoch);
        return verdict;
    }

    private static bool Differs(byte[] before, ReadOnlySpan<byte> now) =>
        before.Length > 0 && !now.IsEmpty && !now[..Math.Min(now.Length, IdentityLimit)].SequenceEqual(before);

    /// <summary>
    /// Whether an epoch is later than ours, and the machine can have restarted in between: a boot begins after the last record of the
    /// one before it. (A replay of an old log, received now, also looks late, but would have begun before what we have already seen.)
    /// </summary>
    private bool IsLaterBoot(TimeSpan epoch) => _timed && epoch > Epoch + EpochTolerance && epoch + RestartTolerance >= _lastAt;

    private void Begin(BootVerdict verdict, TimeSpan now)
    {
        _any = true;
        if (verdict != BootVerdict.Same)
        {
            _startedAt = now;
            _timed = false;
            NeverSleeps = false;
            _lastMicroseconds = 0;
            Epoch = TimeSpan.MaxValue;
            _bootId = [];
            _release = [];
        }

        _lastAt = now;
    }

    private void KeepTime(ulong microseconds, TimeSpan epoch)
    {
        // A machine that slept comes back with a later epoch and goes on counting.
        bool slept = _timed && microseconds > _lastMicroseconds && epoch > Epoch + EpochTolerance;
        if (!_timed || slept || epoch < Epoch) Epoch = epoch;
        _lastMicroseconds = Math.Max(_lastMicroseconds, microseconds);
        _timed = true;
    }
}
