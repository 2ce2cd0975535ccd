using Netdump.Protocols.NetConsole;

namespace Netdump.Server.Store;

/// <summary>
/// The present boot of a host, which may have several streams (basic and extended targets, a second port): the first of them that sees a
/// new boot begins it, the others join it.
/// </summary>
internal sealed class HostBoot
{
    private bool _any;
    private byte[] _id = [];
    private ulong _lastMicroseconds;

    /// <summary>Boot id, when the host sends it.</summary>
    public ReadOnlySpan<byte> Id => _id;

    /// <summary>Least estimate of when the host's clock read zero; the maximum while unknown.</summary>
    public TimeSpan Epoch { get; private set; } = TimeSpan.MaxValue;

    /// <summary>When the last record came.</summary>
    public TimeSpan Now { get; private set; }

    /// <summary>Goes on with what was stored.</summary>
    public void Restore(byte[] id, TimeSpan epoch, ulong lastMicroseconds, TimeSpan now)
    {
        _any = true;
        _id = id;
        Epoch = epoch;
        _lastMicroseconds = lastMicroseconds;
        Now = now;
    }

    /// <summary>Whether a new boot of the host begins with a record.</summary>
    public bool Observe(in ConsoleRecord record, BootWatch watch, TimeSpan now)
    {
        bool fresh = !_any || (record.Boot != BootVerdict.Same && BeginsAnother(record, watch, now));
        Now = now;
        if (fresh)
        {
            _any = true;
            _id = [];
            _lastMicroseconds = 0;
            Epoch = TimeSpan.MaxValue;
        }

        if (record.Kind == ConsoleRecordKind.Text) return fresh;
        if (_id.Length == 0 && watch.BootId.Length > 0) _id = watch.BootId.ToArray();
        // A machine that slept goes on counting, from a later epoch.
        bool slept = record.Boot == BootVerdict.Same && record.Microseconds > _lastMicroseconds
            && watch.Epoch != TimeSpan.MaxValue && Epoch != TimeSpan.MaxValue && watch.Epoch > Epoch + BootWatch.EpochTolerance;
        if (watch.Epoch < Epoch || slept) Epoch = watch.Epoch;
        if (record.Microseconds is ulong time) _lastMicroseconds = Math.Max(_lastMicroseconds, time);
        return fresh;
    }

    private bool BeginsAnother(in ConsoleRecord record, BootWatch watch, TimeSpan now)
    {
        // Classic text carries neither time nor identity: its offset 0 is all there is.
        if (record.Kind == ConsoleRecordKind.Text) return record.Boot == BootVerdict.New;
        if (_id.Length > 0 && watch.BootId.Length > 0) return !watch.BootId.SequenceEqual(_id);
        if (record.Microseconds is not ulong time || Epoch == TimeSpan.MaxValue) return record.Boot == BootVerdict.New;
        bool later = BootWatch.EpochOf(time, now) > Epoch + BootWatch.EpochTolerance;
        // A stream that is new to us, of a host that slept, looks late as well, but goes on counting.
        return later && (record.Boot == BootVerdict.New || time < _lastMicroseconds);
    }
}
