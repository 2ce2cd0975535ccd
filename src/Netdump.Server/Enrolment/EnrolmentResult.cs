namespace Netdump.Server.Enrolment;

/// <summary>What became of an enrolment; docs/upload.md has the codes.</summary>
public enum EnrolmentOutcome
{
    /// <summary>The key is enrolled now.</summary>
    Enrolled,

    /// <summary>The key was enrolled under this name before: nothing changed, and a token is not used up.</summary>
    Unchanged,

    /// <summary>The name is none (<see cref="HostName"/>): code <c>bad-message</c>.</summary>
    BadName,

    /// <summary>Another key is enrolled under the name: code <c>name-taken</c>.</summary>
    NameTaken,

    /// <summary>The key is enrolled under another name, or stands in authorized_keys without our command: code <c>key-taken</c>.</summary>
    KeyTaken,

    /// <summary>The token does not exist, was used, or is too old: code <c>bad-token</c>.</summary>
    BadToken,
}

/// <summary>The answer to an enrolment.</summary>
/// <param name="Outcome">What became of it.</param>
/// <param name="Host">The host as it is enrolled; null when it is not.</param>
/// <param name="Message">What happened, one line.</param>
/// <param name="Remedy">What to do next; null when nothing is to be done.</param>
public sealed record EnrolmentResult(EnrolmentOutcome Outcome, EnrolledHost? Host, string Message, string? Remedy)
{
    /// <summary>Whether the key is enrolled.</summary>
    public bool IsEnrolled => Host is not null;
}
