using System.Buffers.Binary;
using System.Net;
using Netdump.Protocols.Classic;

namespace Netdump.Client.Send;

/// <summary>A server to dump to.</summary>
/// <param name="Name">As the operator knows it, for messages.</param>
/// <param name="Address">Where it listens.</param>
public record SendTarget(string Name, IPEndPoint Address);

/// <summary>Reads the next message of the capture kernel's own log as /dev/kmsg gives it, without waiting; 0 when there is none now.</summary>
/// <param name="buffer">Takes the record.</param>
public delegate int CaptureMessageReader(Span<byte> buffer);

/// <summary>How a dump is sent.</summary>
public sealed record SendOptions
{
    /// <summary>Which client to be.</summary>
    public ClassicClientProfile Profile { get; init; } = ClassicClientProfile.Netdump;

    /// <summary>UDP port to send from; null: 6666 when it is free, else any.</summary>
    public int? LocalPort { get; init; }

    /// <summary>Address of this machine to send from, of the servers' family; null: as the route to the server has it.</summary>
    public IPAddress? LocalAddress { get; init; }

    /// <summary>Each datagram is a message of its own: the kernel is not asked to cut the datagrams of many pages out of one (UDP_SEGMENT).</summary>
    public bool IsPlain { get; init; }

    /// <summary>
    /// Tells this dump from any other of the same address: a server goes on with it when it comes from another port after a pause.
    /// Sent in clear, so it proves nothing.
    /// </summary>
    public ulong Magic { get; init; }

    /// <summary>A server that has not acknowledged the START for this long is given up.</summary>
    public TimeSpan AcknowledgeLimit { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A server that acknowledged and then asks for nothing for this long is given up. Meanwhile the handshake is tried again.</summary>
    public TimeSpan SilenceLimit { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The handshake begins again when no request came for this long.</summary>
    public TimeSpan RestartHandshakeAfter { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Time between the server's REBOOT and the end: what the original waited before it restarted the machine.</summary>
    public TimeSpan RebootDelay { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Time between two reports of progress.</summary>
    public TimeSpan ProgressInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Which pages are left out: makedumpfile's levels, 0 for none. Null: 31 to a server of ours, which stores them as excluded, and 1, pages of
    /// zeros, to an original one, which could only store the others as zeros. Historical profiles leave out none.
    /// </summary>
    public int? DumpLevel { get; init; } = 0;

    /// <summary>Is told what cannot be left out, and why; null for nobody.</summary>
    public Action<string>? FilterNote { get; init; }

    /// <summary>
    /// Text for the server's SHOW_STATE: the dead kernel's tasks, in pieces of whole lines, made while they are sent; null for none. When it
    /// fails, the pieces before are what the server gets.
    /// </summary>
    public Func<IEnumerable<string>>? State { get; init; }

    /// <summary>The capture kernel's own messages, sent to a server of ours beside the dump; null for none.</summary>
    public CaptureMessageReader? CaptureMessages { get; init; }

    /// <summary>The magic of a boot: the same in each process of one capture kernel.</summary>
    /// <param name="bootId">A random identity, as /proc/sys/kernel/random/boot_id is one.</param>
    public static ulong MagicOf(Guid bootId)
    {
        Span<byte> bytes = stackalloc byte[16];
        _ = bootId.TryWriteBytes(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes) ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
    }
}

/// <summary>What happens while a dump is sent.</summary>
public enum SendStage
{
    /// <summary>START goes to the server.</summary>
    Connecting,

    /// <summary>The server acknowledged.</summary>
    Connected,

    /// <summary>All of the dead kernel's log has gone out.</summary>
    LogSent,

    /// <summary>Memory is on its way: comes every <see cref="SendOptions.ProgressInterval"/>.</summary>
    Sending,

    /// <summary>This server was given up, for the reason told; the next one follows, or the end.</summary>
    GivenUp,

    /// <summary>Over.</summary>
    Ended,
}

/// <summary>How far a dump is.</summary>
/// <param name="Stage">What is going on.</param>
/// <param name="Target">With which server.</param>
/// <param name="PagesSent">Pages that went out at least once to this server.</param>
/// <param name="PagesTotal">Pages of memory.</param>
/// <param name="BytesSent">Bytes of memory in those.</param>
/// <param name="BytesTotal">Bytes of memory in all.</param>
/// <param name="BytesPerSecond">Rate over the last few seconds; 0 while unknown.</param>
/// <param name="TimeLeft">At that rate; null while unknown.</param>
/// <param name="IsOurs">The server speaks our extension.</param>
/// <param name="Outcome">Why, with <see cref="SendStage.GivenUp"/> and <see cref="SendStage.Ended"/>.</param>
public readonly record struct SendProgress(
    SendStage Stage, SendTarget Target, ulong PagesSent, ulong PagesTotal, ulong BytesSent, ulong BytesTotal,
    double BytesPerSecond, TimeSpan? TimeLeft, bool IsOurs, SendOutcome Outcome)
{
    /// <summary>With <see cref="SendStage.GivenUp"/>: what the server or the network said, one line; null when the outcome says it all.</summary>
    public string? Reason { get; init; }
}

/// <summary>How it ended with a server.</summary>
public enum SendOutcome
{
    /// <summary>Not yet.</summary>
    None,

    /// <summary>The server ordered the reboot: it has everything it wanted.</summary>
    Rebooted,

    /// <summary>The server ended the dump with EXIT.</summary>
    Exited,

    /// <summary>The server speaks no version this machine can be dumped with, or refuses this dump (see <see cref="SendResult.Reason"/>).</summary>
    Refused,

    /// <summary>No acknowledgement within the limit.</summary>
    NoAnswer,

    /// <summary>No acknowledgement within the limit, and the host said that nothing listens on that port.</summary>
    PortClosed,

    /// <summary>No way to the server: the network refused.</summary>
    Unreachable,

    /// <summary>The server acknowledged and fell silent.</summary>
    Silent,

    /// <summary>The caller cancelled.</summary>
    Cancelled,

    /// <summary>Secure: all of the dump is on the server's disk.</summary>
    Stored,

    /// <summary>Secure: log and tasks are on the server's disk, and by its rules it wants no more of this crash.</summary>
    NotWanted,

    /// <summary>Secure: the server's disk has no room for the vmcore; log and tasks may be there.</summary>
    NoSpace,

    /// <summary>Secure: the server does not know the key that was shown, or it was revoked.</summary>
    NotEnrolled,

    /// <summary>Secure: the server has another key than the one that was pinned. Nothing was sent to it.</summary>
    WrongServerKey,
}

/// <summary>The end of a dump.</summary>
/// <param name="Outcome">How it ended with the server tried last.</param>
/// <param name="Target">That server.</param>
/// <param name="PagesSent">Pages that went out to it at least once.</param>
/// <param name="Elapsed">Time from its first START to the end.</param>
public sealed record SendResult(SendOutcome Outcome, SendTarget Target, ulong PagesSent, TimeSpan Elapsed)
{
    /// <summary>Whether a server took of the dump all that it wants.</summary>
    public bool IsDone => Outcome is SendOutcome.Rebooted or SendOutcome.Exited or SendOutcome.Stored or SendOutcome.NotWanted;

    /// <summary>What the server or the network said, one line with what to do about it; null when the outcome says it all. Secure sending alone tells it.</summary>
    public string? Reason { get; init; }

    /// <summary>What the server calls the crash; null when it did not come to that.</summary>
    public string? Crash { get; init; }
}
