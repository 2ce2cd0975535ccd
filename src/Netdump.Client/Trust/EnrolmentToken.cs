using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using Netdump.Client.Configuration;
using Netdump.Protocols.Keys;
using Netdump.Protocols.Upload;

namespace Netdump.Client.Trust;

/// <summary>An enrolment without ssh: a code that works once, and the fingerprint of the server that made it.</summary>
/// <param name="Code">The code.</param>
/// <param name="Server">Fingerprint of the server's key.</param>
internal sealed record EnrolmentToken(string Code, KeyFingerprint Server)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    /// <summary>Reads <c>CODE@SHA256:…</c>.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out EnrolmentToken? token)
    {
        token = null;
        int at = text.IndexOf('@', StringComparison.Ordinal);
        if (at <= 0 || !KeyFingerprint.TryParse(text.AsSpan(at + 1), out KeyFingerprint server)) return false;
        token = new(text[..at], server);
        return true;
    }

    /// <summary>Enrols the key of this host.</summary>
    /// <param name="server">The server, with its port of the secure channel.</param>
    /// <param name="key">The key; stays the caller's.</param>
    /// <param name="name">What the host is to be called.</param>
    /// <returns>Name the host goes by there.</returns>
    /// <exception cref="ClientException">It did not work: why, and what to do.</exception>
    public string Enrol(Endpoint server, ECDsa key, string name)
    {
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(new TokenEnrolment(Code, name), UploadJson.Default.TokenEnrolment);
        try
        {
            SecureAnswer answer = SecureCall.Ask(new IPEndPoint(server.Resolve()[0], server.Port), Server, key, "POST", UploadPaths.Enrol, body, Limit);
            if (answer.Status is 200 or 201 && JsonSerializer.Deserialize(answer.Body, UploadJson.Default.HostStanding) is { } standing) return ServerWord.Printable(standing.Name);
            UploadProblem? problem = JsonSerializer.Deserialize(answer.Body, UploadJson.Default.UploadProblem);
            throw new ClientException($"{server} did not enrol this host ({answer.Status}): {ServerWord.Printable(problem?.Title ?? "it does not say why")}", problem?.Type switch
            {
                "urn:netdump:bad-token" => "make a new one there: netdump-server enrol --token (it works once, within an hour)",
                "urn:netdump:name-taken" => "choose another name (--name), or netdump-server revoke there",
                "urn:netdump:key-taken" => "this key is enrolled under another name: netdump-server hosts there",
                _ => "see the server's log",
            });
        }
        catch (OtherKeyException e)
        {
            throw new ClientException($"{server} is not the server that made this token: its key is {e.Shown}, the token's {Server}", "check the name, or make a token there: somebody may stand between", e);
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            throw new ClientException($"{server}: {e.Message}", "start netdump-server there, or give its port by SECUREPORT", e);
        }
    }
}
