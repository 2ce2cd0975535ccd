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
}
