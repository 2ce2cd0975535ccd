using System.Net;

namespace Netdump.Server;

/// <content>Lines about the secure port and its uploads. Ids 210 to 219 and 360 to 379.</content>
internal static partial class Log
{
    [LoggerMessage(210, LogLevel.Information, "listening on {EndPoint} (tcp, secure upload), fingerprint {Fingerprint}")]
    public static partial void ListeningSecurely(ILogger log, IPEndPoint endPoint, string fingerprint);

    [LoggerMessage(211, LogLevel.Warning, "{Address}: {Code}: {Reason}")]
    public static partial void UploadRefused(ILogger log, IPAddress address, string code, string reason);

    [LoggerMessage(212, LogLevel.Warning, "further addresses that are refused on the secure port get no line each")]
    public static partial void UploadRefusedMany(ILogger log);

    [LoggerMessage(213, LogLevel.Error, "a request of {Address} on the secure port failed: {Reason}")]
    public static partial void UploadFailed(ILogger log, IPAddress address, string reason);

    [LoggerMessage(214, LogLevel.Information, "secure port: {Connections} connections, {Requests} requests, {Refused} refused")]
    public static partial void UploadStopped(ILogger log, long connections, long requests, long refused);

    [LoggerMessage(215, LogLevel.Warning, "secure port: {Open} connections are open: further ones are refused")]
    public static partial void TooManyConnections(ILogger log, int open);

    [LoggerMessage(360, LogLevel.Warning, "{Address} ({Host}) crashed: {Title}; receiving into {Directory}")]
    public static partial void UploadOpened(ILogger log, IPAddress address, string host, string title, string directory);

    [LoggerMessage(361, LogLevel.Information, "{Address} ({Host}): going on with the upload in {Directory} at {Offset}")]
    public static partial void UploadGoesOn(ILogger log, IPAddress address, string host, string directory, string offset);

    [LoggerMessage(362, LogLevel.Information, "{Address} ({Host}): no vmcore is wanted: {Reason}")]
    public static partial void VmcoreNotWanted(ILogger log, IPAddress address, string host, string reason);

    [LoggerMessage(363, LogLevel.Information, "{Address}: {Size} at {Rate:F1} MB/s")]
    public static partial void UploadProgress(ILogger log, IPAddress address, string size, double rate);

    [LoggerMessage(364, LogLevel.Error, "{Address}: no space left for the upload in {Directory}, {Free} free: what came is kept, it goes on when there is room")]
    public static partial void UploadHeld(ILogger log, IPAddress address, string directory, string free);

    [LoggerMessage(365, LogLevel.Warning, "{Address} ({Host}): silent; what came is kept in {Directory}, and may be gone on with")]
    public static partial void UploadSilent(ILogger log, IPAddress address, string host, string directory);

    [LoggerMessage(366, LogLevel.Error, "the upload in {Directory} is not gone on with: {Reason}")]
    public static partial void UploadNotResumed(ILogger log, string directory, string reason);

    [LoggerMessage(367, LogLevel.Information, "{Count} uploads are going on from an earlier run")]
    public static partial void UploadsResumed(ILogger log, int count);

    [LoggerMessage(368, LogLevel.Warning, "{Address} ({Host}): the enrolment was revoked while it was sending: cut off")]
    public static partial void UploadRevoked(ILogger log, IPAddress address, string host);

    [LoggerMessage(369, LogLevel.Information, "{Address} ({Host}): {Directory} is closed, vmcore {State}")]
    public static partial void UploadClosed(ILogger log, IPAddress address, string host, string directory, string state);
}
