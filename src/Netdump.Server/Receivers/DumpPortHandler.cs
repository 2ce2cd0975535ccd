using Netdump.Protocols;
using Netdump.Protocols.Classic;
using Netdump.Protocols.NetConsole;
using Netdump.Server.Receivers.Classic;
using Netdump.Server.Receivers.Console;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers;

/// <summary>
/// The dump port (6666) on one engine thread: decides for each datagram whether its sender is allowed, which dialect it is, and which
/// receiver it belongs to. What is refused is counted and never creates state.
/// </summary>
internal sealed class DumpPortHandler : DatagramHandler
{
    private readonly DumpPort _port;
    private readonly ClassicReceiver _classic;
    private readonly ConsoleReceiver _console;
    private readonly MagicGate _magics;
    private readonly DumpPortCounters.Share _share;
    private readonly NamedOnce _rejected = new();
    private readonly NamedOnce _junk = new();
    private readonly NamedOnce _versions = new();
    private readonly NamedOnce _unknown = new();

    /// <summary>A handler over the two receivers of its thread.</summary>
    public DumpPortHandler(DumpPort port, ClassicReceiver classic, ConsoleReceiver console)
    {
        _port = port;
        _share = port.Counters.AddShare();
        _classic = classic;
        _console = console;
        _magics = new MagicGate(port.Magics, port.Options);
    }

    /// <inheritdoc/>
    public override bool IsUrgent => _classic.IsUrgent;

    /// <inheritdoc/>
    public override void Receive(ReadOnlySpan<byte> datagram, in Peer peer, TimeSpan now)
    {
        if (!_port.Options.Current.AllowedNetworks.Contains(peer.Key))
        {
            Reject(peer);
            return;
        }

        switch (Dialects.Classify(datagram, _console.ContinuesBasic(peer, now), out ExtendedRecord record))
        {
            case DatagramDialect.ClassicReply:
                ReceiveClassic(datagram, peer, now);
                break;
            case DatagramDialect.Extended:
                // A client of our own sends the dead kernel's log and its own messages from its session's port.
                if (_classic.TryFindLog(peer, now, out CrashLog? log))
                {
                    log.ReceiveExtended(datagram, peer.Port, now);
                    _share.Session++;
                }
                else
                {
                    _console.ReceiveExtended(record, datagram, peer, now);
                    _share.Console++;
                }

                break;
            case DatagramDialect.Basic:
                _console.ReceiveBasic(datagram, peer, now);
                _share.Console++;
                break;
            case DatagramDialect.ClassicUnknownVersion:
                _port.Counters.CountUnknownVersion();
                if (_versions.IsFirst(peer.Key)) Log.UnknownVersion(_port.Log, peer.Address, datagram[0]);
                break;
            case DatagramDialect.Empty:
                _port.Counters.CountEmpty();
                break;
            default:
                _port.Counters.CountJunk();
                if (_junk.IsFirst(peer.Key)) Log.Junk(_port.Log, peer.Address);
                break;
        }
    }

    /// <inheritdoc/>
    public override TimeSpan Advance(TimeSpan now)
    {
        TimeSpan classic = _classic.Advance(now, IsBehind);
        TimeSpan console = _console.Advance(now);
        return classic < console ? classic : console;
    }

    /// <inheritdoc/>
    public override void Stop()
    {
        // One receiver that fails must not keep the other from writing what it holds.
        try
        {
            _classic.Stop();
        }
        finally
        {
            _console.Stop();
        }
    }

    private void ReceiveClassic(ReadOnlySpan<byte> datagram, in Peer peer, TimeSpan now)
    {
        if (!_magics.Admits(peer.Key, now))
        {
            _port.Counters.CountUnknownHost();
            if (_unknown.IsFirst(peer.Key))
                Log.NoMagicFile(_port.Log, peer.Address, Path.Combine(_port.Store.MagicDirectory, CrashStore.NameOf(peer.Address)));
            return;
        }

        if (_classic.Receive(datagram, peer, now) || !ClassicReplyHeader.TryRead(datagram, out ClassicReplyHeader header))
        {
            _share.Session++;
            return;
        }

        // Console text of a host that has not crashed.
        _console.ReceiveLog(header.Info, datagram[ClassicReplyHeader.Size..], peer, now);
        _share.Console++;
    }

    private void Reject(in Peer peer)
    {
        _port.Counters.CountRejected();
        if (!_rejected.IsFirst(peer.Key)) return;
        Log.Rejected(_port.Log, peer.Address);
        if (_rejected.JustFull) Log.RejectedMany(_port.Log);
    }
}
