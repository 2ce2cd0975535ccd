namespace Netdump.Server;

/// <summary>The server cannot start; the message is one line that says what is wrong and what to do.</summary>
public sealed class StartException : Exception
{
    /// <summary>An error with a message for the operator.</summary>
    public StartException(string message)
        : base(message)
    {
    }

    /// <summary>An error with a message for the operator and its cause.</summary>
    public StartException(string message, Exception cause)
        : base(message, cause)
    {
    }

    /// <summary>An error without a message of its own.</summary>
    public StartException()
    {
    }
}
