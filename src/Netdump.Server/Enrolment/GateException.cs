namespace Netdump.Server.Enrolment;

/// <summary>The gate refuses what a peer asks for; the message is one line for that peer.</summary>
internal sealed class GateException : Exception
{
    /// <summary>A refusal.</summary>
    public GateException(string message)
        : base(message)
    {
    }

    /// <summary>A refusal with its cause.</summary>
    public GateException(string message, Exception cause)
        : base(message, cause)
    {
    }

    /// <summary>A refusal without a message of its own.</summary>
    public GateException()
    {
    }
}
