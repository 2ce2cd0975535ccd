using Netdump.Protocols.Classic;
using Netdump.Server.Options;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Classic;

/// <content>What a START leads to: the crash it belongs to, a new one, a place in the queue, or a refusal.</content>
public sealed partial class ClassicReceiver
{
    // Each open crash holds memory and files.
    private const int MaximumOpenPerAddress = 16;
    private const int MaximumNamed = 1024;

    // Our client begins its handshake again after 15 s without a request, perhaps from another port.
    private static readonly TimeSpan SilentAfter = TimeSpan.FromSeconds(10);

    private readonly HashSet<Peer> _opening = [];
    private readonly HashSet<AddressKey> _named = [];
    private readonly CrashQuota _quota = new();
    private readonly WaitingStarts _waiting = new();
    private TimeSpan _nextFullLine;

    /// <summary>Clients that wait for a place, unacknowledged.</summary>
    public int WaitingClients => _waiting.Count;

    private void ReceiveStart(in ClassicReplyHeader header, ReadOnlySpan<byte> payload, in Peer peer, TimeSpan now)
    {
        if (!ClassicStart.TryParse(header, payload, out ClassicStart start))
            return;
        ClassicCrash? crash = Find(peer);
        if (crash is null && FindSilent(peer, start, now) is { } silent)
        {
            silent.Rebind(peer);
            crash = silent;
        }

        if (crash is not null && crash.Takes(start))
            Deliver(crash, header, payload, now);
        else
            Open(peer, start, now);
    }

    /// <summary>A crash of the same kernel whose client fell silent. A START that names neither task nor magic could be anybody's.</summary>
    private ClassicCrash? FindSilent(in Peer peer, in ClassicStart start, TimeSpan now)
    {
        if (start is { TaskStruct: 0, Magic: null or 0 } || !_hosts.TryGetValue(peer.Key, out List<ClassicCrash>? crashes))
            return null;
        foreach (ClassicCrash crash in crashes)
        {
            if (crash.Takes(start) && now - crash.LastHeard >= SilentAfter)
                return crash;
        }

        return null;
    }

    /// <summary>
    /// Opens a crash if there is a place for it. While there is none its START is not acknowledged, so that the client repeats it; after
    /// <see cref="WaitingStarts.Patience"/> only its log and state are taken.
    /// </summary>
    private void Open(in Peer peer, in ClassicStart start, TimeSpan now)
    {
        if (_opening.Contains(peer) || !HasRoom(peer, now))
            return;
        int limit = Context.Options.Current.MaxConcurrentDumps;
        if (limit == 0)
        {
            Log.TooManyDumps(Context.Log, peer.Address, limit);
            Open(peer, start, hasSlot: false, now);
        }
        else if (_waiting.IsNext(peer, limit - Context.Dumps.Taken, now) && Context.Dumps.TryTake(limit))
        {
            Open(peer, start, hasSlot: true, now);
        }
        else
        {
            Wait(peer, start, limit, now);
        }
    }

    private void Wait(in Peer peer, in ClassicStart start, int limit, TimeSpan now)
    {
        switch (_waiting.Wait(peer, start, now, out bool owesSign))
        {
            case WaitingVerdict.First:
                Log.DumpWaits(Context.Log, peer.Address, limit);
                break;
            case WaitingVerdict.WaitedEnough:
                Log.TooManyDumps(Context.Log, peer.Address, limit);
                Open(peer, start, hasSlot: false, now);
                break;
            case WaitingVerdict.Refused when IsFirst(peer):
                Log.TooManyWaiting(Context.Log, peer.Address, _waiting.Count);
                break;
        }

        if (!owesSign || !start.Extension)
            return;
        // Originals would answer with another START at once; ours waits on as long as it hears of us.
        Span<byte> sign = stackalloc byte[ClassicRequest.Size];
        new ClassicRequest(start.Magic ?? 0, 0, ClassicCommand.None, 0, 0).Write(sign);
        Sender.Send(peer, sign);
    }

    /// <summary>Checks the client's magic and makes its directory elsewhere; the client repeats its START until it is acknowledged.</summary>
    private void Open(in Peer peer, in ClassicStart start, bool hasSlot, TimeSpan now)
    {
        Peer from = peer;
        ClassicStart said = start;
        CrashQuota.Place place = _quota.Take(peer.Key, now);
        _waiting.Remove(peer);
        _opening.Add(peer);
        _ = Context.Work.Run(() =>
        {
            MagicVerdict verdict = MagicVerdict.NoFile;
            CrashOpening? opening = null;
            string? failure = null;
            try
            {
                verdict = Context.Magics.Check(from.Address, said.Magic, Context.Options.Current.Secure, out ulong magic);
                if (verdict == MagicVerdict.Accepted)
                    opening = CrashOpening.Make(Context, from, said, magic, hasSlot, place);
            }
            catch (Exception error)
            {
                failure = error.Message;
            }

            Post(later => Opened(from, opening, place, hasSlot, verdict, failure, later));
        });
    }

    private bool HasRoom(in Peer peer, TimeSpan now)
    {
        _quota.Expire(now);
        int open = _hosts.TryGetValue(peer.Key, out List<ClassicCrash>? crashes) ? crashes.Count : 0;
        foreach (Peer opening in _opening)
            open += opening.Key == peer.Key ? 1 : 0;
        if (open >= MaximumOpenPerAddress || _quota.Of(peer.Key) >= CrashQuota.MaximumPerAddress)
        {
            if (IsFirst(peer))
                Log.TooManySessions(Context.Log, peer.Address, Math.Max(open, _quota.Of(peer.Key)));
            return false;
        }

        // A host that exchanged a magic is no invention.
        if (_quota.Unanswered < CrashQuota.MaximumUnanswered || Context.Magics.IsKnown(peer.Address, SecurePolicy.Always))
            return true;
        if (now >= _nextFullLine)
            Log.TooManyUnanswered(Context.Log, peer.Address, _quota.Unanswered);
        _nextFullLine = now + CrashQuota.Window;
        return false;
    }

    private void Opened(
        in Peer peer, CrashOpening? opening, CrashQuota.Place place, bool hasSlot, MagicVerdict verdict, string? failure, TimeSpan now)
    {
        _opening.Remove(peer);
        if (failure is not null)
            Log.CrashError(Context.Log, peer.Address, failure);
        else if (opening is null)
            NameOnce(peer, verdict);
        if (opening is null)
        {
            place.GiveBack();
            if (hasSlot)
                Context.Dumps.Release();
            return;
        }

        if (Find(peer) is { } former)
        {
            former.Abandon(now);
            Remove(former);
        }

        Add(new ClassicCrash(this, opening, now));
    }

    /// <summary>One line for a host that is refused, not one for each START a second.</summary>
    private bool IsFirst(in Peer peer) => _named.Count < MaximumNamed && _named.Add(peer.Key);

    private void NameOnce(in Peer peer, MagicVerdict verdict)
    {
        if (!IsFirst(peer))
            return;
        string file = Path.Combine(Context.Store.MagicDirectory, CrashStore.NameOf(peer.Address));
        switch (verdict)
        {
            case MagicVerdict.NoFile:
                Log.NoMagicFile(Context.Log, peer.Address, file);
                break;
            case MagicVerdict.BadFile:
                Log.BadMagicFile(Context.Log, peer.Address, file);
                break;
            default:
                Log.MagicMismatch(Context.Log, peer.Address, file);
                break;
        }
    }
}
