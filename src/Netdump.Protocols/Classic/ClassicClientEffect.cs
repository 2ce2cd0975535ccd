namespace Netdump.Protocols.Classic;

/// <summary>What a client session does at the moment.</summary>
public enum ClassicClientPhase
{
    /// <summary>START is repeated until a server acknowledges it.</summary>
    Handshake,
    /// <summary>The server's requests are answered.</summary>
    Serving,
    /// <summary>As serving, while the caller prints the state: until <see cref="ClassicClientSession.CompleteState"/>.</summary>
    ShowingState,
    /// <summary>REBOOT came, or the server is too old for this machine: the restart follows.</summary>
    Leaving,
    /// <summary>Over.</summary>
    Ended,
}

/// <summary>Kinds of <see cref="ClassicClientEffect"/>.</summary>
public enum ClassicClientEffectKind
{
    /// <summary>A server acknowledged the START: version and extension are known. Comes again after each new handshake.</summary>
    Connected,
    /// <summary>Send page <c>Argument</c> with <see cref="ClassicClientSession.WritePage"/> (or chunk by chunk), or an error if it cannot be read.</summary>
    SendPage,
    /// <summary>Send a page of zeros in place of page <c>Argument</c>, which is not RAM (profile A).</summary>
    SendZeroPage,
    /// <summary>Send chunk <c>Argument</c> (1024 bytes at 1024 times its number) of the ELF header area.</summary>
    SendHeader,
    /// <summary>Send chunk <c>Argument</c> (1024 bytes at 1024 times its number) of the map of left-out pages.</summary>
    SendBitmap,
    /// <summary>Print the state as LOG pieces, then call <see cref="ClassicClientSession.CompleteState"/>.</summary>
    ShowState,
    /// <summary>The delay after REBOOT is over: restart now.</summary>
    Reboot,
    /// <summary>The server speaks no version this machine can be dumped with; the delay is over: restart now, or try another server.</summary>
    Refused,
    /// <summary>The server sent EXIT; the answer lies ready to be sent.</summary>
    Exit,
}

/// <summary>Something the caller has to do for a client session.</summary>
/// <param name="Kind">What.</param>
/// <param name="Number">Number of the request, to be echoed.</param>
/// <param name="Argument">Page frame number or chunk number.</param>
public readonly record struct ClassicClientEffect(ClassicClientEffectKind Kind, uint Number = 0, uint Argument = 0);
