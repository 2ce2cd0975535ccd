using Netdump.Protocols.Classic;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Classic;

/// <summary>What a crash begins with, or is gone on with.</summary>
/// <param name="Peer">Where its START came from.</param>
/// <param name="Start">What it said.</param>
/// <param name="Magic">Magic of requests to it.</param>
/// <param name="Directory">Its directory.</param>
/// <param name="Stored">What was there of it; null for a new one.</param>
/// <param name="HasSlot">Whether it counts among the dumps being received; without that no memory is taken.</param>
/// <param name="IsAsked">Whether the client's START waits for its answer; else another process answered it.</param>
/// <param name="Place">Its place among the crashes of the last minutes.</param>
internal sealed record CrashOpening(
    Peer Peer, ClassicStart Start, ulong Magic, CrashDirectory Directory, StoredCrash? Stored, bool HasSlot, bool IsAsked,
    CrashQuota.Place Place)
{
    /// <summary>
    /// Finds what there is of the crash, or makes its directory. A client that was given up and begins its handshake again joins what it left,
    /// if its magic says that it is the same boot. Off the engine threads; throws what the disk says.
    /// </summary>
    public static CrashOpening Make(
        ClassicContext context, in Peer peer, in ClassicStart start, ulong magic, bool hasSlot, CrashQuota.Place place)
    {
        if (hasSlot && FindEnded(context, peer, start) is { } stored)
            return new CrashOpening(peer, start, magic, stored.Directory, stored, hasSlot, IsAsked: true, place);
        CrashDirectory directory = context.Store.Create(peer.Address);
        try
        {
            SessionFile.Write(
                directory,
                SessionHeader.Of(
                    start, peer.Address, peer.Port, peer.Local.IsEmpty ? null : peer.Local.ToIPAddress(), context.Time.GetLocalNow()));
        }
        catch (Exception error)
        {
            // A full disk, most likely: the crash is still told of, and its client sent away.
            Log.CrashError(context.Log, peer.Address, error.Message);
        }

        return new CrashOpening(peer, start, magic, directory, null, hasSlot, IsAsked: true, place);
    }

    private static StoredCrash? FindEnded(ClassicContext context, in Peer peer, in ClassicStart start)
    {
        if (!start.NamesItsBoot)
            return null;
        foreach (CrashDirectory directory in context.Store.WithSession(peer.Address).Reverse())
        {
            try
            {
                SessionHeader header = SessionFile.ReadHeader(directory.File(SessionFile.FileName));
                if (header.State == SessionState.Ended && header.Start == start)
                    return StoredCrash.Open(directory, peer.Port);
            }
            catch (Exception error)
            {
                // A new directory is as good.
                Log.NotResumed(context.Log, directory.Path, error.Message);
            }
        }

        return null;
    }
}
