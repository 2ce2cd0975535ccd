using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Netdump.Server.Store;

namespace Netdump.Server.Enrolment;

/// <summary>
/// Codes that enrol one host each, within an hour: <c>server/tokens</c>, a line each: SHA-256 of the code in hexadecimal digits, when it ends (Unix
/// seconds), and the name of the host if the operator gave one. The codes themselves are kept nowhere. Whoever calls holds the lock of
/// <see cref="HostEnrolment"/>.
/// </summary>
internal sealed class EnrolmentTokens
{
    /// <summary>How long a code is good for.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromHours(1);

    /// <summary>Most codes that wait to be used.</summary>
    public const int Most = 1000;

    private const string FileName = "tokens";
    private const int LongestFile = 1 << 20;
    private const int CodeBytes = 16; // 128 bits: nobody guesses one in an hour, and no hash of one needs salt

    private readonly StoreFolder _server;
    private readonly long _now;
    private readonly List<Token> _tokens;

    private EnrolmentTokens(StoreFolder server, long now, List<Token> tokens)
    {
        _server = server;
        _now = now;
        _tokens = tokens;
    }

    /// <summary>Reads the codes that are good now. Throws <see cref="StoreException"/>.</summary>
    /// <param name="server">The directory <c>server</c> of the store; stays the caller's.</param>
    /// <param name="now">Wall clock.</param>
    public static EnrolmentTokens Load(StoreFolder server, DateTimeOffset now)
    {
        long seconds = now.ToUnixTimeSeconds();
        List<Token> tokens = [];
        foreach (string line in Encoding.ASCII.GetString(server.TryRead(FileName, LongestFile) ?? []).Split('\n'))
        {
            string[] fields = line.Split(' ');
            if (fields.Length is not (2 or 3) || fields[0].Length != 64 || !long.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out long ends)) continue;
            // One that ends in more than an hour was made before the clock was set back: how old it is nobody knows.
            if (ends <= seconds || ends > seconds + (long)Life.TotalSeconds) continue;
            tokens.Add(new Token(fields[0], ends, fields.Length == 3 ? fields[2] : null));
        }

        return new EnrolmentTokens(server, seconds, tokens);
    }

    /// <summary>Makes a code. Throws <see cref="StoreException"/>.</summary>
    /// <param name="name">Name of the host that it is for; null lets the host say.</param>
    public string Add(string? name)
    {
        if (_tokens.Count >= Most) throw new StoreException($"{Most} tokens wait to be used: use them, or let an hour pass");
        string code = RandomNumberGenerator.GetHexString(2 * CodeBytes, lowercase: true);
        _tokens.Add(new Token(HashOf(code), _now + (long)Life.TotalSeconds, name));
        Write();
        return code;
    }

    /// <summary>Looks for a code.</summary>
    public bool TryFind(string code, [NotNullWhen(true)] out Token? token)
    {
        // The hash is compared: how long that takes tells nothing of the code.
        string hash = HashOf(code);
        token = _tokens.Find(t => t.Hash == hash);
        return token is not null;
    }

    /// <summary>Uses a code up. Throws <see cref="StoreException"/>.</summary>
    public void Remove(Token token)
    {
        _tokens.Remove(token);
        Write();
    }

    /// <summary>Gives a code back that <see cref="Remove"/> took for nothing. Throws <see cref="StoreException"/>.</summary>
    public void Return(Token token)
    {
        _tokens.Add(token);
        Write();
    }

    private void Write()
    {
        var text = new StringBuilder();
        foreach (Token token in _tokens)
            text.Append(CultureInfo.InvariantCulture, $"{token.Hash} {token.Ends}{(token.Name is null ? "" : " ")}{token.Name}\n");
        _server.Replace(FileName, Encoding.ASCII.GetBytes(text.ToString()));
    }

    private static string HashOf(string code) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(code)));

    /// <summary>A code that was given out.</summary>
    internal sealed record Token(string Hash, long Ends, string? Name);
}
