using System.Net;
using Netdump.Protocols.NetConsole;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Console;

/// <summary>
/// The consoles of all hosts of one engine thread. The dump port's demultiplexer classifies each datagram
/// (<see cref="Protocols.Dialects"/> with <see cref="ContinuesBasic"/>) and hands over what belongs to no session:
/// <see cref="ReceiveExtended"/>, <see cref="ReceiveBasic"/>, <see cref="ReceiveLog"/>; and calls <see cref="Advance"/> and
/// <see cref="Stop"/> as the engine calls it. Lane-owned, not thread-safe, bounded in streams and memory.
/// </summary>
public sealed class ConsoleReceiver
{
    /// <summary>Longest time between a record's turn and its being written.</summary>
    public static readonly TimeSpan FlushInterval = TimeSpan.FromMilliseconds(200);

    /// <summary>The same for a record that has waited in vain for those before it: it is on disk 300 ms after its arrival.</summary>
    public static readonly TimeSpan ReleasedFlushInterval = TimeSpan.FromMilliseconds(20);

    /// <summary>A stream silent for this long is forgotten; its host's boot is known from the disk when it speaks again.</summary>
    public static readonly TimeSpan IdleTimeout = TimeSpan.FromMinutes(10);

    /// <summary>Streams (address and port) kept; beyond that, streams of unknown senders are refused until others fall silent.</summary>
    public const int MaximumStreams = 32_768;

    /// <summary>Streams of one address kept.</summary>
    public const int MaximumStreamsOfHost = 64;

    // Names of machines stand in names of directories.
    private const int MaximumMachine = 64;
    private static readonly System.Buffers.SearchValues<char> MachineCharacters =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    private readonly ConsoleFiles _files;
    private readonly ConsoleWorkspace _workspace = new();
    private readonly Action<IPAddress> _hostStarted;
    private readonly ConsoleSink _sink;
    private readonly Dictionary<Peer, Source> _sources = [];
    private readonly Dictionary<(AddressKey Key, string Machine), Host> _hosts = [];
    private readonly PriorityQueue<Source, TimeSpan> _waiting = new();
    private readonly DirtyHosts _dirty = new(FlushInterval);
    private readonly DirtyHosts _released = new(ReleasedFlushInterval);
    private TimeSpan _sweepAt;
    private TimeSpan _nextRefusal;
    private TimeSpan _now;
    private bool _releasing;
    private Source _current = null!;
    private Source? _found;

    /// <summary>Consoles of a store.</summary>
    /// <param name="store">Where the files go.</param>
    /// <param name="time">Wall clock and local zone.</param>
    /// <param name="log">Where failures are told.</param>
    /// <param name="hostStarted">
    /// Called once when a classic client announces that its module was loaded (LOG with offset 0, or its startup line): the
    /// <c>netdump-start</c> hook. Called on the lane's thread; must not block.
    /// </param>
    public ConsoleReceiver(CrashStore store, TimeProvider time, ILogger log, Action<IPAddress> hostStarted)
    {
        _files = new ConsoleFiles(store, time, log);
        _hostStarted = hostStarted;
        _sink = Take;
    }

    /// <summary>Streams known now.</summary>
    public int StreamCount => _sources.Count;

    /// <summary>Datagrams of unknown senders refused because too many are known.</summary>
    public long Refused { get; private set; }

    /// <summary>Memory that holds what is not written yet.</summary>
    internal long HeldBytes => _files.Held;

    /// <summary>Counters of what was dropped or came in part.</summary>
    public ConsoleWorkspace Workspace => _workspace;

    /// <summary>Whether a basic line of this sender is unfinished, so that any text is its rest.</summary>
    public bool ContinuesBasic(in Peer peer, TimeSpan now) => Find(peer) is Source source && source.Stream.ContinuesBasic(now);

    /// <summary>An extended record, or a piece, from a port without a session.</summary>
    public void ReceiveExtended(in ExtendedRecord record, ReadOnlySpan<byte> datagram, in Peer peer, TimeSpan now)
    {
        if (!TryEnter(peer, now)) return;
        _current.Stream.ReceiveExtended(record, datagram, now, _sink);
        Leave();
    }

    /// <summary>Basic text.</summary>
    public void ReceiveBasic(ReadOnlySpan<byte> datagram, in Peer peer, TimeSpan now)
    {
        if (!TryEnter(peer, now)) return;
        _current.Stream.ReceiveBasic(datagram, now, _sink);
        Leave();
    }

    /// <summary>The text of a classic LOG reply that belongs to no session.</summary>
    public void ReceiveLog(uint offset, ReadOnlySpan<byte> text, in Peer peer, TimeSpan now)
    {
        if (!TryEnter(peer, now)) return;
        _current.Stream.ReceiveLog(offset, text, now, _sink);
        Leave();
    }

    /// <summary>The console log of a host, for the <see cref="CrashLog"/> of a crash that begins. Made if the host was silent until now.</summary>
    public ConsoleLog LogOf(in Peer peer)
    {
        // What still waits for its turn belongs to the crash as well.
        foreach (Source source in _sources.Values)
            if (source.Peer.Key.Equals(peer.Key)) Flush(source);
        return HostOf(peer.Key)?.Log ?? new ConsoleLog(_files, peer.Address);
    }

    /// <summary>Delivers what has waited long enough and writes what has been gathered; returns when it wants to be called again.</summary>
    public TimeSpan Advance(TimeSpan now)
    {
        _now = now;
        _releasing = true;
        while (_waiting.TryPeek(out Source? source, out TimeSpan at) && at <= now)
        {
            _waiting.Dequeue();
            if (at != source.WakeAt) continue; // it has asked for an earlier time since, or is forgotten
            source.WakeAt = TimeSpan.MaxValue;
            _current = source;
            source.Stream.Advance(now, _sink);
            Leave();
        }

        _releasing = false;
        TimeSpan next = _waiting.TryPeek(out _, out TimeSpan first) ? first : TimeSpan.MaxValue;
        if (now >= _released.FlushAt) Write(_released);
        if (now >= _dirty.FlushAt) Write(_dirty);
        if (now >= _sweepAt) Sweep(now, IdleTimeout);
        if (_released.FlushAt < next) next = _released.FlushAt;
        if (_dirty.FlushAt < next) next = _dirty.FlushAt;
        if (_sources.Count > 0 && _sweepAt < next) next = _sweepAt;
        return next;
    }

    /// <summary>Delivers and writes everything that is held, and closes the files.</summary>
    public void Stop()
    {
        foreach (Source source in _sources.Values) Flush(source);
        Write(_released);
        Write(_dirty);
        _files.CloseAll();
    }

    private bool TryEnter(in Peer peer, TimeSpan now)
    {
        _now = now;
        Source? source = Find(peer);
        if (source is null && !TryAdd(peer, now, out source)) return false;
        source.LastAt = now;
        _current = source;
        return true;
    }

    /// <summary>Each datagram asks twice: whether it continues a line, and whose it is.</summary>
    private Source? Find(in Peer peer)
    {
        if (_found is not null && _found.Peer == peer) return _found;
        if (!_sources.TryGetValue(peer, out Source? source)) return null;
        return _found = source;
    }

    private void Leave()
    {
        TimeSpan deadline = _current.Stream.NextDeadline;
        if (deadline >= _current.WakeAt) return;
        _current.WakeAt = deadline;
        _waiting.Enqueue(_current, deadline);
    }

    private void Flush(Source source)
    {
        Source before = _current;
        _current = source;
        source.Stream.Flush(_now, _sink);
        _current = before;
    }

    private bool TryAdd(in Peer peer, TimeSpan now, out Source source)
    {
        source = null!;
        if (_sources.Count >= MaximumStreams && now >= _sweepAt - SweepInterval + TimeSpan.FromSeconds(1)) Sweep(now, TimeSpan.FromMinutes(1));
        if (_sources.Count >= MaximumStreams)
        {
            Refused++;
            return false;
        }

        if (!_hosts.TryGetValue((peer.Key, ""), out Host? host))
        {
            if (!_files.MayKeep(peer.Address))
            {
                Refuse(peer, now);
                return false;
            }

            host = new Host(peer.Key, "", new ConsoleLog(_files, peer.Address));
            _hosts.Add((host.Key, host.Machine), host);
        }

        if (host.Sources.Count >= MaximumStreamsOfHost) Forget(host.Sources.MinBy(s => s.LastAt)!);
        source = new Source(peer, host, new ConsoleStream(_workspace));
        host.Sources.Add(source);
        _sources.Add(peer, source);
        return true;
    }

    private void Refuse(in Peer peer, TimeSpan now)
    {
        Refused++;
        if (now < _nextRefusal) return;
        _nextRefusal = now + IdleTimeout;
        Log.ConsoleRefused(_files.Log, peer.Address);
    }

    /// <summary>The host of an address whose crash begins: of several machines behind it the one that raised an alarm last.</summary>
    private Host? HostOf(AddressKey key)
    {
        Host? found = null;
        foreach (Host host in _hosts.Values)
        {
            if (!host.Key.Equals(key)) continue;
            if (found is null || host.AlarmAt > found.AlarmAt || (host.AlarmAt == found.AlarmAt && host.Machine.Length == 0)) found = host;
        }

        return found;
    }

    /// <summary>Gives a stream to the machine that its records name: several may share an address (netconsole.md 4.6).</summary>
    private void Identify(Source source)
    {
        source.Machine = source.Stream.Machine.ToArray();
        string machine = System.Text.Encoding.Latin1.GetString(source.Machine);
        if (machine.Length > MaximumMachine || machine.AsSpan().ContainsAnyExcept(MachineCharacters)) return;
        Peer peer = source.Peer;
        Host host = _hosts.GetValueOrDefault((peer.Key, "")) ?? new Host(peer.Key, "", new ConsoleLog(_files, peer.Address));
        if (host.Log.Claim(machine))
        {
            _hosts.TryAdd((peer.Key, ""), host);
        }
        else
        {
            if (!_hosts.TryGetValue((peer.Key, machine), out Host? other))
            {
                if (!_files.MayKeep(peer.Address, machine)) return;
                other = new Host(peer.Key, machine, new ConsoleLog(_files, peer.Address, machine));
                _hosts.Add((other.Key, machine), other);
            }

            host = other;
        }

        if (source.Host == host) return;
        source.Host.Sources.Remove(source);
        if (source.Host is { Sources.Count: 0, Dirty: false }) _hosts.Remove((source.Host.Key, source.Host.Machine));
        source.Host = host;
        host.Sources.Add(source);
    }

    private void Take(in ConsoleRecord record)
    {
        Source source = _current;
        if (record.Kind == ConsoleRecordKind.Extended && !source.Stream.Machine.SequenceEqual(source.Machine)) Identify(source);
        Host host = source.Host;
        BootWatch watch = record.Kind == ConsoleRecordKind.Extended ? source.Stream.ExtendedBoot : source.Stream.BasicBoot;
        if (record.Priority is 0 or 1) host.AlarmAt = _now; // of the kernel itself: emergency, alert
        bool boot = host.Log.Add(record, watch, source.Peer.Port, _now);
        if (boot) host.Announced = false;
        if (record.IsStartup && !host.Announced)
        {
            host.Announced = true;
            _hostStarted(host.Log.Address);
        }

        if (!host.Dirty) _dirty.Add(host, _now);
        host.Dirty = true;
        if (_releasing && !host.Released)
        {
            host.Released = true;
            _released.Add(host, _now);
        }

        if (host.Log.NeedsFlush) host.Log.Flush();
    }

    /// <summary>Writes what hosts have gathered; what the disk refuses stays, and is tried again.</summary>
    private void Write(DirtyHosts hosts)
    {
        int kept = 0;
        for (int i = 0; i < hosts.List.Count; i++)
        {
            Host host = hosts.List[i];
            host.Log.Flush();
            host.Released = false;
            if (hosts == _released) continue; // it is among all others as well
            host.Dirty = host.Log.IsDirty;
            if (host.Dirty) hosts.List[kept++] = host;
            else if (host.Sources.Count == 0) _hosts.Remove((host.Key, host.Machine));
        }

        hosts.Keep(kept, _now + RetryInterval);
    }

    private void Sweep(TimeSpan now, TimeSpan idle)
    {
        _sweepAt = now + SweepInterval;
        List<Source> silent = [.. _sources.Values.Where(s => now - s.LastAt >= idle)];
        foreach (Source source in silent) Forget(source);
    }

    private void Forget(Source source)
    {
        Flush(source);
        source.WakeAt = TimeSpan.MaxValue; // its place in the queue means nothing any more
        _sources.Remove(source.Peer);
        _found = null;
        Host host = source.Host;
        host.Sources.Remove(source);
        if (host.Sources.Count > 0) return;
        host.Log.Flush();
        if (!host.Dirty) _hosts.Remove((host.Key, host.Machine)); // else when the list of dirty hosts is written next
    }

    /// <summary>Hosts with something to write; all are written when the first of them has waited long enough.</summary>
    private sealed class DirtyHosts(TimeSpan interval)
    {
        public List<Host> List { get; } = [];

        public TimeSpan FlushAt { get; private set; } = TimeSpan.MaxValue;

        public void Add(Host host, TimeSpan now)
        {
            List.Add(host);
            if (now + interval < FlushAt) FlushAt = now + interval;
        }

        /// <summary>Keeps the first <paramref name="count"/>, to be written at <paramref name="flushAt"/>.</summary>
        public void Keep(int count, TimeSpan flushAt)
        {
            List.RemoveRange(count, List.Count - count);
            FlushAt = count > 0 ? flushAt : TimeSpan.MaxValue;
        }
    }

    /// <summary>One sender: address and port.</summary>
    private sealed class Source(Peer peer, Host host, ConsoleStream stream)
    {
        public Peer Peer { get; } = peer;

        public Host Host { get; set; } = host;

        /// <summary>Name of the machine as its host was chosen by; empty while it has given none.</summary>
        public byte[] Machine { get; set; } = [];

        public ConsoleStream Stream { get; } = stream;

        public TimeSpan LastAt { get; set; }

        /// <summary>When its stream wants to be advanced; the maximum while nothing is held back.</summary>
        public TimeSpan WakeAt { get; set; } = TimeSpan.MaxValue;
    }

    /// <summary>One address, or one of further machines behind it.</summary>
    private sealed class Host(AddressKey key, string machine, ConsoleLog log)
    {
        public AddressKey Key { get; } = key;

        public string Machine { get; } = machine;

        /// <summary>When its kernel last said something as grave as a crash.</summary>
        public TimeSpan AlarmAt { get; set; } = TimeSpan.MinValue;

        public ConsoleLog Log { get; } = log;

        public List<Source> Sources { get; } = [];

        /// <summary>Whether it is in the list of those with something to write.</summary>
        public bool Dirty { get; set; }

        /// <summary>Whether it is in the list of those to be written at once.</summary>
        public bool Released { get; set; }

        /// <summary>Whether this boot's module was announced.</summary>
        public bool Announced { get; set; }
    }
}
