namespace Netdump.Server.Receivers.Upload;

/// <summary>A request is refused: becomes a problem+json answer, and is counted under its code.</summary>
internal sealed class Refusal : Exception
{
    /// <summary>A refusal.</summary>
    /// <param name="status">HTTP status.</param>
    /// <param name="code">Of docs/upload.md.</param>
    /// <param name="title">What happened, one line.</param>
    /// <param name="remedy">What to do about it.</param>
    public Refusal(int status, string code, string title, string? remedy = null)
        : base(title) => (Status, Code, Remedy) = (status, code, remedy);

    /// <summary>HTTP status.</summary>
    public int Status { get; }

    /// <summary>Code, as <c>not-enrolled</c>.</summary>
    public string Code { get; }

    /// <summary>What to do about it.</summary>
    public string? Remedy { get; }

    /// <summary>Seconds after which to try again; null when that is of no use.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>Whether the connection ends with it.</summary>
    public bool Closes { get; init; }

    public static Refusal NotEnrolled() => new(
        403, "not-enrolled", "the key of this connection is not enrolled, or was revoked", "enrol it: netdump propagate, or netdump-server enrol KEYFILE on the server")
    { Closes = true };

    public static Refusal Busy(string title, int after) => new(429, "busy", title, "try again later") { RetryAfter = after };

    public static Refusal BadMessage(string title) => new(400, "bad-message", title, "docs/upload.md says what is understood");

    public static Refusal NoCrash() => new(404, "no-crash", "no crash of this host has that name", "announce it: POST /upload/v1/crashes");

    public static Refusal NoUpload() => new(404, "no-upload", "no vmcore of this crash was created", "create it: POST CRASH/vmcore");

    public static Refusal Over() => new(409, "over", "the crash is complete: it takes nothing more");

    public static Refusal WrongOffset(long offset) => new(409, "wrong-offset", $"the upload stands at {offset}", "ask by HEAD, and go on from there");

    public static Refusal Ended() => new(410, "ended", "the upload was ended, or has expired");

    public static Refusal TooLarge(string title) => new(413, "too-large", title) { Closes = true };

    public static Refusal WrongType(string wanted) => new(415, "wrong-type", $"the body has to be {wanted}");

    public static Refusal WrongDigest(string title) => new(460, "digest", title, "send that block again");

    public static Refusal NoSpace(string title) => new(507, "no-space", title, "make room on the server, then go on: log and report are kept") { RetryAfter = 30 };
}
