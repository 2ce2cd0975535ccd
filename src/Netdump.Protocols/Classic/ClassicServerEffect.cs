namespace Netdump.Protocols.Classic;

/// <summary>What a server session does at the moment.</summary>
public enum ClassicServerPhase
{
    /// <summary>START was acknowledged; nothing was answered yet.</summary>
    Handshake,
    /// <summary>Page size, number of pages and registers are asked.</summary>
    Parameters,
    /// <summary>The client's own ELF header area is taken (extension).</summary>
    Header,
    /// <summary>Waits for <see cref="ClassicServerSession.BeginMemory"/> or <see cref="ClassicServerSession.SkipMemory"/>.</summary>
    Prepared,
    /// <summary>The map of the pages that the client left out is taken (extension).</summary>
    LeftOut,
    /// <summary>Pages are asked.</summary>
    Memory,
    /// <summary>The client prints its state.</summary>
    State,
    /// <summary>Waits for <see cref="ClassicServerSession.Finish"/>.</summary>
    StateComplete,
    /// <summary>REBOOT or EXIT is repeated.</summary>
    Finishing,
    /// <summary>Over: nothing is sent or taken any more.</summary>
    Ended,
}

/// <summary>Kinds of <see cref="ClassicServerEffect"/>.</summary>
public enum ClassicServerEffectKind
{
    /// <summary>Everything about the client is known: make the file, then call BeginMemory or SkipMemory.</summary>
    Prepared,
    /// <summary>Page <c>FirstPfn</c> is complete; its bytes are <see cref="ClassicServerSession.Page"/> until the next Receive.</summary>
    Page,
    /// <summary><c>Count</c> pages from <c>FirstPfn</c> on are not RAM.</summary>
    Hole,
    /// <summary>Page <c>FirstPfn</c> could not be read by the client.</summary>
    Unreadable,
    /// <summary>
    /// The client left out pages among the <c>Count</c> from <c>FirstPfn</c> on: those whose bit is set in <see cref="ClassicServerSession.LeftOutMap"/>,
    /// until the next Receive. They come before all pages, and again when the session was resumed. The caller accounts for them: those that its
    /// nextMissing passes over are not asked.
    /// </summary>
    LeftOut,
    /// <summary>Every page was accounted for exactly once, as Page, Hole or Unreadable (or LeftOut, by the caller). SHOW_STATE follows by itself.</summary>
    MemoryComplete,
    /// <summary>The state was printed (or was not to be had): rename the file, then call Finish. Comes without MemoryComplete when memory was skipped.</summary>
    StateComplete,
    /// <summary>The same peer reports another crash with the START just received: drop this session and open a new one with that START.</summary>
    OtherCrash,
    /// <summary>The session is over for <c>Reason</c>.</summary>
    Ended,
}

/// <summary>Why a server session ended.</summary>
public enum ClassicEndReason
{
    /// <summary>It has not ended.</summary>
    None,
    /// <summary>Everything was done, REBOOT (or EXIT) was sent as often as configured.</summary>
    Finished,
    /// <summary>The client confirmed that it left dump mode after EXIT.</summary>
    Exited,
    /// <summary>The client left dump mode by itself: the dump is incomplete.</summary>
    ClientLeft,
    /// <summary>The client was silent too long: the dump is incomplete.</summary>
    TimedOut,
}

/// <summary>Why a session takes no memory.</summary>
public enum ClassicRefusal
{
    /// <summary>It does, or the caller chose <see cref="ClassicServerSession.SkipMemory"/>.</summary>
    None,
    /// <summary><see cref="ClassicServerOptions.JustReboot"/>.</summary>
    JustReboot,
    /// <summary>The machine number in START is none of an original client, and the client does not bring its own ELF header.</summary>
    UnknownMachine,
    /// <summary>The page size is no power of two from 1024 to 65536, or was not told.</summary>
    BadPageSize,
    /// <summary>The number of pages is 0, above the limit, or was not told.</summary>
    BadPageCount,
    /// <summary>The ELF header area is longer than the limit.</summary>
    HeaderTooLong,
}

/// <summary>Something the caller has to do for a session. Pages are in units of the client's page size.</summary>
/// <param name="Kind">What.</param>
/// <param name="FirstPfn">First page it is about.</param>
/// <param name="Count">Number of pages it is about.</param>
/// <param name="Slot">Where the bytes of a page lie in the session.</param>
/// <param name="Reason">Why it ended.</param>
public readonly record struct ClassicServerEffect(
    ClassicServerEffectKind Kind,
    ulong FirstPfn = 0,
    ulong Count = 0,
    int Slot = -1,
    ClassicEndReason Reason = ClassicEndReason.None);

/// <summary>Counts of one server session.</summary>
public record struct ClassicServerCounters
{
    /// <summary>Replies given to the session.</summary>
    public long Replies;
    /// <summary>Requests sent again after a timeout.</summary>
    public long Retransmits;
    /// <summary>Replies to no open request.</summary>
    public long Stale;
    /// <summary>Chunks that had already arrived.</summary>
    public long Duplicates;
    /// <summary>Replies that break the protocol: version, length, offset, or code against its request.</summary>
    public long Invalid;
    /// <summary>Pages received.</summary>
    public long Pages;
    /// <summary>Pages the client says are no RAM.</summary>
    public long HolePages;
    /// <summary>Pages the client could not read.</summary>
    public long UnreadablePages;
}
