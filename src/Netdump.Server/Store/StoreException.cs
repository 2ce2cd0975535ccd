namespace Netdump.Server.Store;

/// <summary>The store cannot do what was asked; the message is one line that names the path and the reason.</summary>
public sealed class StoreException : IOException
{
    /// <summary>An error with a message for the operator.</summary>
    public StoreException(string message)
        : base(message)
    {
    }

    /// <summary>An error with a message for the operator and its cause.</summary>
    public StoreException(string message, Exception cause)
        : base(message, cause)
    {
    }

    /// <summary>An error without a message of its own.</summary>
    public StoreException()
    {
    }
}
