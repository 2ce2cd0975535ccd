namespace Netdump.Client;

/// <summary>Something an operator can put right. The message is one line: what is wrong, then what to do about it.</summary>
public sealed class ClientException : Exception
{
    /// <summary>Makes the error.</summary>
    /// <param name="fact">What is wrong.</param>
    /// <param name="advice">What to do; null when the fact says it.</param>
    /// <param name="inner">What it came from.</param>
    public ClientException(string fact, string? advice = null, Exception? inner = null)
        : base(advice is null ? fact : $"{fact}; {advice}", inner)
    {
        Fact = fact;
        Advice = advice;
    }

    /// <summary>What is wrong.</summary>
    public string Fact { get; }

    /// <summary>What to do, or null.</summary>
    public string? Advice { get; }
}
