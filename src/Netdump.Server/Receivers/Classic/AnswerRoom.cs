namespace Netdump.Server.Receivers.Classic;

/// <summary>
/// Shares the receive buffer of one socket among its dumps: together they ask for no more than it takes, so that many dumps at once cost
/// each other no datagram. Each has the same share from the time it is acknowledged, before it asks for memory: hosts that crash together
/// begin together.
/// </summary>
internal sealed class AnswerRoom
{
    /// <summary>
    /// What Linux charges a socket for one answer with a chunk (skb truesize): 1037 bytes of datagram and its headers take a block of 2048
    /// with the kernel's shared part, and the descriptor takes 256.
    /// </summary>
    public const int ChargedForChunk = 2304;

    /// <summary>Chunks that any dump may have in flight, however many there are: two pages of 4 KiB keep it going.</summary>
    public const int LeastShare = 8;

    private readonly HashSet<ClassicCrash> _dumps = [];
    private readonly int _chunks;

    /// <summary>The room of a socket.</summary>
    /// <param name="bytes">Its buffer, as the kernel counts (SO_RCVBUF).</param>
    public AnswerRoom(int bytes)
    {
        // Half of it: the kernel takes back what it charged for datagrams that were read only when they make a quarter of the buffer
        // (net/ipv4/udp.c, udp_rmem_release), and a quarter is left to answers that come twice, being late, and to the console.
        _chunks = bytes / 2 / ChargedForChunk;
    }

    /// <summary>Chunks that each dump may have in flight.</summary>
    public int ShareOfEach => Math.Max(LeastShare, _chunks / Math.Max(1, _dumps.Count));

    /// <summary>A dump was acknowledged, or is gone on with.</summary>
    public void Join(ClassicCrash crash)
    {
        if (_dumps.Add(crash))
            ShareOut();
    }

    /// <summary>A dump needs no more memory.</summary>
    public void Leave(ClassicCrash crash)
    {
        if (_dumps.Remove(crash))
            ShareOut();
    }

    private void ShareOut()
    {
        int share = ShareOfEach;
        foreach (ClassicCrash dump in _dumps)
            dump.Share(share);
    }
}
