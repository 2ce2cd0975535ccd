namespace Netdump.Server.Options;

/// <summary>A setting that cannot be used; the message is one line that names where it stands and what would be right.</summary>
public sealed class OptionException : Exception
{
    /// <summary>An error with a message for the operator.</summary>
    public OptionException(string message)
        : base(message)
    {
    }

    /// <summary>An error with a message for the operator and its cause.</summary>
    public OptionException(string message, Exception cause)
        : base(message, cause)
    {
    }

    /// <summary>An error without a message of its own.</summary>
    public OptionException()
    {
    }

    /// <summary>Whether the command line is at fault (exit status 2) and not the file (1).</summary>
    public bool IsUsage { get; init; }
}
