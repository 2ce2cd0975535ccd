using System.Net;

namespace Netdump.Server.Store;

/// <summary>
/// A host's console as the log of a crash sees it: what the present boot had said, and how to follow what it says from now on, which is read from
/// the console's files and so needs no lane.
/// </summary>
/// <param name="Address">The host.</param>
/// <param name="Said">What the present boot said, oldest first.</param>
/// <param name="Boot">What this boot says from now on; null when it has said nothing yet, or the disk takes nothing.</param>
/// <param name="BootAgain">The same from the beginning of its file, for a log that an earlier run of the server began.</param>
/// <param name="Capture">What the capture kernel says by itself.</param>
/// <param name="Time">Wall clock.</param>
/// <param name="Log">Where failures are told.</param>
internal sealed record ConsoleView(
    IPAddress Address, List<JournalEntry> Said, JournalTail? Boot, JournalTail BootAgain, JournalTail Capture, TimeProvider Time, ILogger Log)
{
    /// <summary>
    /// Writes what the console holds, so that its files have it; only on the console's lane. Elsewhere nothing: the lane writes within
    /// <see cref="Receivers.Console.ConsoleReceiver.FlushInterval"/> by itself.
    /// </summary>
    public Action Flush { get; init; } = () => { };

    /// <summary>The view of another thread than the lane's.</summary>
    public ConsoleView Elsewhere() => this with { Flush = () => { } };

    /// <summary>The view when the console's lane gives no answer: the crash has a log of its own all the same.</summary>
    public static ConsoleView Empty(CrashStore store, IPAddress address, TimeProvider time, ILogger log)
    {
        string directory = store.ConsolePath(address);
        JournalTail Tail(string name) => new(Path.Combine(directory, name));
        return new ConsoleView(address, [], null, Tail(ConsoleLog.BootName), Tail(ConsoleLog.CaptureName), time, log);
    }
}
