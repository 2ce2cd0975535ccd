namespace Netdump.Protocols.Classic;

/// <summary>How a <see cref="ClassicServerSession"/> behaves. The defaults are those of docs/classic-protocol.md.</summary>
public sealed record ClassicServerOptions
{
    /// <summary>Most pages in flight with an original client; it reads up to 64 packets a poll (redhat-netdump U4).</summary>
    public int MaximumWindow { get; init; } = 64;

    /// <summary>Most pages in flight with a client that speaks our extension.</summary>
    public int MaximumExtensionWindow { get; init; } = 256;

    /// <summary>Pages in flight at the start of the memory phase.</summary>
    public int InitialWindow { get; init; } = 32;

    /// <summary>Losses shrink the window to no less than this.</summary>
    public int MinimumWindow { get; init; } = 8;

    /// <summary>Bytes of page buffers of one session; a large page size narrows the window to fit.</summary>
    public int MaximumBufferBytes { get; init; } = 4 << 20;

    /// <summary>Highest number of pages a client may claim.</summary>
    public uint MaximumPageCount { get; init; } = uint.MaxValue;

    /// <summary>Longest ELF header area taken from a client of our own, in bytes.</summary>
    public int MaximumHeaderLength { get; init; } = 64 << 20;

    /// <summary>Whether a client that speaks our extension is asked which pages it left out, before any page.</summary>
    public bool AsksLeftOut { get; init; }

    /// <summary>Timeout of a request before any round trip was measured.</summary>
    public TimeSpan InitialTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Timeouts never fall below this, however fast the network.</summary>
    public TimeSpan MinimumTimeout { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Timeouts never grow past this.</summary>
    public TimeSpan MaximumTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A session ends (after REBOOT requests) when it heard nothing for this long.</summary>
    public TimeSpan GiveUpAfter { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Patience with SHOW_STATE before it is asked again; starts anew with each LOG packet.</summary>
    public TimeSpan StateTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How often SHOW_STATE is asked in all.</summary>
    public int StateAttempts { get; init; } = 3;

    /// <summary>With an original client the state is complete when it was answered and no LOG packet came for this long.</summary>
    public TimeSpan StateQuiet { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>SHOW_STATE takes no longer than this, however many LOG packets come.</summary>
    public TimeSpan StateLimit { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How often REBOOT (or EXIT) is sent; it is never answered.</summary>
    public int FinalRepeats { get; init; } = 5;

    /// <summary>Time between two of those.</summary>
    public TimeSpan FinalInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Ends with EXIT instead of REBOOT: the client goes back to its normal panic path.</summary>
    public bool ExitInsteadOfReboot { get; init; }

    /// <summary>Takes no memory: log and state only, then reboot (too many dumps at once).</summary>
    public bool JustReboot { get; init; }

    /// <summary>While the caller prepares or finishes files a NONE request is sent this often, which clients ignore but count as a sign of life.</summary>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Magic of requests to a client whose START carried none (from the magic file); null for 0.</summary>
    public ulong? Magic { get; init; }
}
