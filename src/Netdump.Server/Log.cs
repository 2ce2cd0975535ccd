using System.Net;

namespace Netdump.Server;

/// <summary>
/// Every line the server writes to its log. Event ids are stable: 1xx the server itself, 2xx the network, 3xx hosts and crashes,
/// 4xx hooks. Operators filter by them, so ids are never reused.
/// </summary>
internal static partial class Log
{
    [LoggerMessage(100, LogLevel.Information, "listening on {EndPoint} (udp, {Threads} threads), store {Store}")]
    public static partial void Listening(ILogger log, IPEndPoint endPoint, int threads, string store);

    [LoggerMessage(101, LogLevel.Information, "stopping")]
    public static partial void Stopping(ILogger log);

    [LoggerMessage(102, LogLevel.Information, "settings read again")]
    public static partial void Reloaded(ILogger log);

    [LoggerMessage(103, LogLevel.Error, "settings not read again, the old ones stay: {Reason}")]
    public static partial void ReloadFailed(ILogger log, string reason);

    [LoggerMessage(104, LogLevel.Warning, "{Setting} changed: takes effect after a restart")]
    public static partial void NeedsRestart(ILogger log, string setting);

    [LoggerMessage(105, LogLevel.Warning, "{Note}")]
    public static partial void OptionNote(ILogger log, string note);

    [LoggerMessage(106, LogLevel.Information, "stopped: {Datagrams} datagrams, {Dropped} dropped by the kernel, {Rejected} rejected, {Junk} junk")]
    public static partial void Stopped(ILogger log, long datagrams, long dropped, long rejected, long junk);

    [LoggerMessage(107, LogLevel.Error, "a receive thread did not end in time: what it held may not be written")]
    public static partial void StuckThread(ILogger log);

    [LoggerMessage(108, LogLevel.Error, "work on the disk did not end in time: what it wrote stays under its incomplete name")]
    public static partial void StuckWork(ILogger log);

    [LoggerMessage(200, LogLevel.Warning,
        "socket receive buffer is {Granted} bytes, {Wanted} were asked for: bursts may be lost; raise net.core.rmem_max or grant CAP_NET_ADMIN")]
    public static partial void SmallReceiveBuffer(ILogger log, long granted, long wanted);

    [LoggerMessage(201, LogLevel.Warning, "the kernel dropped {Dropped} datagrams because the receive buffer was full ({Total} in all)")]
    public static partial void KernelDrops(ILogger log, long dropped, long total);

    [LoggerMessage(202, LogLevel.Error, "a datagram from {Peer} could not be handled")]
    public static partial void HandlerFailed(ILogger log, Exception error, string peer);

    [LoggerMessage(203, LogLevel.Error, "timers or posted work failed on a receive thread")]
    public static partial void LaneFailed(ILogger log, Exception error);

    [LoggerMessage(204, LogLevel.Warning, "{Address} is in no allowed network: its datagrams are ignored (setting allow)")]
    public static partial void Rejected(ILogger log, IPAddress address);

    [LoggerMessage(205, LogLevel.Warning, "further addresses outside the allowed networks are ignored without a line each")]
    public static partial void RejectedMany(ILogger log);

    [LoggerMessage(206, LogLevel.Warning, "{Address} sends what is neither netdump nor netconsole: ignored")]
    public static partial void Junk(ILogger log, IPAddress address);

    [LoggerMessage(207, LogLevel.Warning, "{Address} speaks netdump version {Version}, which is unknown: ignored")]
    public static partial void UnknownVersion(ILogger log, IPAddress address, int version);

    [LoggerMessage(208, LogLevel.Error, "receiving failed: {Reason}")]
    public static partial void ReceiveFailed(ILogger log, string reason);

    [LoggerMessage(300, LogLevel.Information, "{Address} started: its console is being received")]
    public static partial void HostStarted(ILogger log, IPAddress address);

    [LoggerMessage(301, LogLevel.Warning, "{Address} crashed: receiving into {Directory}")]
    public static partial void CrashOpened(ILogger log, IPAddress address, string directory);

    [LoggerMessage(302, LogLevel.Information, "{Address}: {Percent:F0} % of {Size} at {Rate:F1} MB/s, {Left} left")]
    public static partial void Progress(ILogger log, IPAddress address, double percent, string size, double rate, string left);

    [LoggerMessage(303, LogLevel.Information, "{Address}: vmcore complete in {Directory} ({Size}, {Seconds:F0} s)")]
    public static partial void DumpComplete(ILogger log, IPAddress address, string directory, string size, double seconds);

    [LoggerMessage(304, LogLevel.Information, "{Address}: log complete in {Directory}")]
    public static partial void LogComplete(ILogger log, IPAddress address, string directory);

    [LoggerMessage(305, LogLevel.Information, "{Address}: reboot sent")]
    public static partial void RebootSent(ILogger log, IPAddress address);

    [LoggerMessage(306, LogLevel.Warning, "{Address}: no place among {Limit} dumps being received: it is rebooted without a dump")]
    public static partial void TooManyDumps(ILogger log, IPAddress address, int limit);

    [LoggerMessage(307, LogLevel.Error, "{Address}: {Free} free, the dump needs {Needed}: no vmcore, only the log")]
    public static partial void NoSpace(ILogger log, IPAddress address, string free, string needed);

    [LoggerMessage(308, LogLevel.Error, "{Address}: the dump in {Directory} stays incomplete: {Reason}")]
    public static partial void DumpIncomplete(ILogger log, IPAddress address, string directory, string reason);

    [LoggerMessage(309, LogLevel.Warning, "{Address} has machine type {Machine}, which is unknown: it is rebooted without a dump")]
    public static partial void UnknownMachine(ILogger log, IPAddress address, uint machine);

    [LoggerMessage(310, LogLevel.Warning, "{Address} announced a magic other than the one in {File}: ignored")]
    public static partial void MagicMismatch(ILogger log, IPAddress address, string file);

    [LoggerMessage(311, LogLevel.Warning, "{Address} has no magic file {File}: ignored (secure = 1)")]
    public static partial void NoMagicFile(ILogger log, IPAddress address, string file);

    [LoggerMessage(312, LogLevel.Warning, "the magic file {File} of {Address} does not hold 16 hexadecimal digits: the host is ignored")]
    public static partial void BadMagicFile(ILogger log, IPAddress address, string file);

    [LoggerMessage(313, LogLevel.Error, "{Address}: {Reason}")]
    public static partial void CrashError(ILogger log, IPAddress address, string reason);

    [LoggerMessage(314, LogLevel.Warning, "{Address}: no answer any more, session ended; what came is kept in {Directory}")]
    public static partial void SessionLost(ILogger log, IPAddress address, string directory);

    [LoggerMessage(340, LogLevel.Error, "{Address}: its console cannot be written and is held back: {Reason}")]
    public static partial void ConsoleNotWritten(ILogger log, IPAddress address, string reason);

    [LoggerMessage(341, LogLevel.Error, "{Address}: the log in {Directory} cannot be written and is held back: {Reason}")]
    public static partial void CrashLogNotWritten(ILogger log, IPAddress address, string directory, string reason);

    [LoggerMessage(342, LogLevel.Error,
        "{Address} and others: console not kept, because too many hosts have one; remove old directories below console/ or narrow the setting allow")]
    public static partial void ConsoleRefused(ILogger log, IPAddress address);

    [LoggerMessage(350, LogLevel.Information, "{Directory}: {Answer} ({Seconds:0.0} s)")]
    public static partial void Analysed(ILogger log, string directory, string answer, double seconds);

    [LoggerMessage(351, LogLevel.Error, "{Directory}: not analysed: {Reason}; try netdump report on its dump")]
    public static partial void AnalysisFailed(ILogger log, string directory, string reason);

    [LoggerMessage(352, LogLevel.Warning, "no program {Program}: dumps are not analysed; name it with --analyser FILE, or say --analyser none")]
    public static partial void NoAnalyser(ILogger log, string program);

    [LoggerMessage(353, LogLevel.Error, "dumps without a report were not analysed: {Reason}")]
    public static partial void AnalysesNotResumed(ILogger log, string reason);

    [LoggerMessage(400, LogLevel.Warning, "hook {Hook} for {Address} ended with status {Status}")]
    public static partial void HookFailed(ILogger log, string hook, IPAddress address, int status);

    [LoggerMessage(401, LogLevel.Warning, "hook {Hook} for {Address} was killed after {Seconds} s")]
    public static partial void HookKilled(ILogger log, string hook, IPAddress address, double seconds);

    [LoggerMessage(402, LogLevel.Warning, "hook {Hook} for {Address} could not be started: {Reason}")]
    public static partial void HookNotStarted(ILogger log, string hook, IPAddress address, string reason);

    [LoggerMessage(403, LogLevel.Error, "hook {Hook} for {Address} left out: {Waiting} are waiting already")]
    public static partial void HookQueueFull(ILogger log, string hook, IPAddress address, int waiting);

    [LoggerMessage(404, LogLevel.Warning, "hook {Hook} for {Address} has not ended {Seconds} s after it was called for: its dump waits no longer")]
    public static partial void HookLate(ILogger log, string hook, IPAddress address, double seconds);
}
