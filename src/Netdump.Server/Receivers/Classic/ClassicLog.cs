using System.Net;

namespace Netdump.Server;

/// <content>Lines about classic dumps. Ids 320 to 339.</content>
internal static partial class Log
{
    [LoggerMessage(320, LogLevel.Warning, "{Address}: the header of its /proc/vmcore is not used, the plain netdump layout is: {Reason}")]
    public static partial void HeaderRefused(ILogger log, IPAddress address, string reason);

    [LoggerMessage(321, LogLevel.Warning, "{Address}: {Pages} pages could not be read by the client; they are holes of the vmcore in {Directory}")]
    public static partial void UnreadablePages(ILogger log, IPAddress address, ulong pages, string directory);

    [LoggerMessage(322, LogLevel.Warning, "{Address}: {Bytes} bytes of registers fit no layout of machine type {Machine}: left out of the vmcore")]
    public static partial void RegistersRefused(ILogger log, IPAddress address, int bytes, uint machine);

    [LoggerMessage(323, LogLevel.Warning, "{Address} reports another crash: the dump in {Directory} stays incomplete")]
    public static partial void OtherCrash(ILogger log, IPAddress address, string directory);

    [LoggerMessage(324, LogLevel.Information, "{Address} goes on from port {Port} with the dump in {Directory}")]
    public static partial void PortChanged(ILogger log, IPAddress address, int port, string directory);

    [LoggerMessage(325, LogLevel.Debug, "{Address}: the kernel's log was not read from the vmcore: {Reason}")]
    public static partial void RingNotRead(ILogger log, IPAddress address, string reason);

    [LoggerMessage(326, LogLevel.Warning, "{Address}: {Open} crashes of this address were opened within ten minutes or are open still: its START is ignored")]
    public static partial void TooManySessions(ILogger log, IPAddress address, int open);

    [LoggerMessage(327, LogLevel.Error,
        "{Address} and others: START ignored, because {Crashes} crashes within ten minutes came from hosts that answer nothing, as made-up addresses do; "
        + "narrow the setting allow; hosts with a magic file are still dumped")]
    public static partial void TooManyUnanswered(ILogger log, IPAddress address, int crashes);

    [LoggerMessage(328, LogLevel.Warning, "{Address}: going on with the dump in {Directory}, {Percent:F0} % is there")]
    public static partial void Resumed(ILogger log, IPAddress address, string directory, double percent);

    [LoggerMessage(329, LogLevel.Warning, "the crash in {Directory} is not gone on with: {Reason}")]
    public static partial void NotResumed(ILogger log, string directory, string reason);

    [LoggerMessage(330, LogLevel.Warning, "{Address} crashed while {Limit} dumps are being received: it waits for a place, at most 10 minutes")]
    public static partial void DumpWaits(ILogger log, IPAddress address, int limit);

    [LoggerMessage(331, LogLevel.Error, "{Address}: START ignored, because {Waiting} hosts wait for a place already")]
    public static partial void TooManyWaiting(ILogger log, IPAddress address, int waiting);

    [LoggerMessage(332, LogLevel.Warning, "{Address}: {Free} free, the dump may need {Needed} more: it goes on while there is room")]
    public static partial void SpaceShort(ILogger log, IPAddress address, string free, string needed);

    [LoggerMessage(333, LogLevel.Error,
        "{Address}: no space left in the middle of the dump, {Free} free and up to {Needed} to come: vmcore-incomplete is removed, only the log is kept")]
    public static partial void NoSpaceLeft(ILogger log, IPAddress address, string free, string needed);

    [LoggerMessage(334, LogLevel.Warning, "{Address}: no space left in the middle of the dump: waiting for the hook netdump-nospace")]
    public static partial void DumpHeld(ILogger log, IPAddress address);

    [LoggerMessage(335, LogLevel.Information, "{Address}: there is space again, the dump goes on")]
    public static partial void DumpGoesOn(ILogger log, IPAddress address);
}
