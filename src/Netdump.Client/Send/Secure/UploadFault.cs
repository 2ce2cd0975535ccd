using Netdump.Protocols.Upload;

namespace Netdump.Client.Send.Secure;

/// <summary>What kind of trouble a request met.</summary>
internal enum FaultKind
{
    /// <summary>The host said that nothing listens there.</summary>
    PortClosed,

    /// <summary>No way to the server.</summary>
    Unreachable,

    /// <summary>No connection, or no answer, within the limit; or the connection broke.</summary>
    Lost,

    /// <summary>The server is busy or in trouble: later.</summary>
    Busy,

    /// <summary>The server's disk is full: later.</summary>
    NoSpace,

    /// <summary>A block did not arrive as it was sent.</summary>
    Digest,

    /// <summary>The upload stands elsewhere.</summary>
    WrongOffset,

    /// <summary>The crash is complete already.</summary>
    Over,

    /// <summary>The server no longer has what it acknowledged, or has something else: only a new start can help.</summary>
    Gone,

    /// <summary>The server has another key than the pinned one.</summary>
    WrongKey,

    /// <summary>The server does not know our key.</summary>
    NotEnrolled,

    /// <summary>The server does not want the vmcore.</summary>
    NotWanted,

    /// <summary>Refused for good, or answered with what no netdump server says.</summary>
    Refused,
}

/// <summary>A request failed. The message is one line.</summary>
internal sealed class UploadFault(FaultKind kind, string message, Exception? inner = null) : Exception(message, inner)
{
    public FaultKind Kind => kind;

    /// <summary>When the server wants to be asked again.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether the same request may succeed later.</summary>
    public bool IsPassing => kind is FaultKind.PortClosed or FaultKind.Unreachable or FaultKind.Lost or FaultKind.Busy or FaultKind.NoSpace;

    /// <summary>The fault that a refusal stands for.</summary>
    /// <param name="status">HTTP status, 300 or more.</param>
    /// <param name="problem">The refusal's text; null when there was none that could be read.</param>
    /// <param name="retryAfter">When to try again, by the server.</param>
    public static UploadFault Of(int status, UploadProblem? problem, TimeSpan? retryAfter)
    {
        string code = problem?.Type is { } type && type.StartsWith("urn:netdump:", StringComparison.Ordinal) ? type["urn:netdump:".Length..] : "";
        FaultKind kind = code switch
        {
            "not-enrolled" => FaultKind.NotEnrolled,
            "not-wanted" => FaultKind.NotWanted,
            "no-crash" or "no-upload" or "ended" or "unfinished" => FaultKind.Gone,
            "over" => FaultKind.Over,
            "wrong-offset" => FaultKind.WrongOffset,
            "digest" => FaultKind.Digest,
            "no-space" => FaultKind.NoSpace,
            "busy" => FaultKind.Busy,
            _ => status switch { 507 => FaultKind.NoSpace, 408 or 429 or >= 500 => FaultKind.Busy, _ => FaultKind.Refused },
        };
        string text = problem is null ? $"HTTP status {status}, with no word of a netdump server"
            : problem.Detail is null ? Plain(problem.Title) : $"{Plain(problem.Title)}; {Plain(problem.Detail)}";
        return new UploadFault(kind, text) { RetryAfter = retryAfter };
    }

    /// <summary>A text of a server as one line for a terminal: it may hold anything.</summary>
    public static string Plain(string text)
    {
        const int Most = 300;
        string line = string.Concat(text.Take(Most).Select(c => char.IsControl(c) || char.GetUnicodeCategory(c) is System.Globalization.UnicodeCategory.Format ? ' ' : c)).Trim();
        return text.Length > Most ? line + " ..." : line;
    }
}
