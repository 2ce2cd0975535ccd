using Netdump.Client.Host;

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

    /// <summary>Makes the error of a check that failed.</summary>
    /// <param name="check">The check, with its name and code.</param>
    /// <param name="inner">What it came from.</param>
    public ClientException(Check check, Exception? inner = null)
        : this(check.Fact, check.Advice, inner) => Check = check;

    /// <summary>What is wrong.</summary>
    public string Fact { get; }

    /// <summary>What to do, or null.</summary>
    public string? Advice { get; }

    /// <summary>The check that failed; null when none did.</summary>
    public Check? Check { get; }

    /// <summary>This error as a check that failed; its own when it came from one.</summary>
    /// <param name="name">Name of the check otherwise.</param>
    /// <param name="code">Code of the check otherwise.</param>
    public Check AsCheck(string name, string code) => Check ?? new Check(CheckLevel.Fail, name, Fact, Advice, code);
}
