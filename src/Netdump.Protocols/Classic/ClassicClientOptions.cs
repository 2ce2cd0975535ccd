namespace Netdump.Protocols.Classic;

/// <summary>Which client a <see cref="ClassicClientSession"/> behaves as (redhat-netdump 6.5).</summary>
public enum ClassicClientProfile
{
    /// <summary>Our own, with the extension <c>ext:1</c>; to a server that does not know it, as <see cref="D"/>.</summary>
    Netdump,
    /// <summary>RHEL 3 GA to U4, i386 only: old START, holes are zero pages.</summary>
    A,
    /// <summary>RHEL 3 U5 to U9: version byte always 4.</summary>
    B,
    /// <summary>RHEL 4 GA to U5: SHOW_STATE answered before its lines.</summary>
    C,
    /// <summary>RHEL 4 U6 to U8: SHOW_STATE answered behind its lines.</summary>
    D,
}

/// <summary>What a client session tells about its machine, and how it behaves.</summary>
public sealed record ClassicClientOptions
{
    /// <summary>Which client to be.</summary>
    public ClassicClientProfile Profile { get; init; }

    /// <summary>ELF machine number; profile A is always i386.</summary>
    public uint Machine { get; init; } = ClassicMachine.X86_64;

    /// <summary>Bytes in a page: a power of two from 1024 to 65536.</summary>
    public uint PageSize { get; init; } = 4096;

    /// <summary>Which pages are RAM.</summary>
    public required ClassicMemoryMap Memory { get; init; }

    /// <summary>Number of pages told, if not the highest page of RAM plus one (the end of the direct map of ia64).</summary>
    public uint? PageCount { get; init; }

    /// <summary>Kernel address of the crashing task, 0 if unknown.</summary>
    public ulong TaskStruct { get; init; }

    /// <summary>Kernel address of the start of the direct map.</summary>
    public ulong PageOffset { get; init; }

    /// <summary>The cookie shared with the server, told in clear in START.</summary>
    public ulong Magic { get; init; }

    /// <summary>Ignores requests that carry another magic. Original clients never look.</summary>
    public bool StrictMagic { get; init; }

    /// <summary>Register block of the crashing processor, in the machine's byte order.</summary>
    public ReadOnlyMemory<byte> Registers { get; init; }

    /// <summary>Bytes of the ELF header area offered to a server of ours; a multiple of 1024.</summary>
    public long HeaderLength { get; init; }

    /// <summary>Whether a server of ours is told which pages are left out, by <see cref="ClassicClientEffectKind.SendBitmap"/>; else none is.</summary>
    public bool LeavesOut { get; init; }

    /// <summary>Time between two STARTs.</summary>
    public TimeSpan StartInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Time between REBOOT (or a refused server) and the restart.</summary>
    public TimeSpan RebootDelay { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// The handshake begins again when no request came for this long. Null for never, as original clients do; of the profiles only
    /// <see cref="ClassicClientProfile.Netdump"/> looks at it.
    /// </summary>
    public TimeSpan? RestartHandshakeAfter { get; init; } = TimeSpan.FromSeconds(15);
}
