using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Netdump.Client.Send.Secure;
using Netdump.Protocols.Keys;
using Netdump.Protocols.Upload;

namespace Netdump.Client.Trust;

/// <summary>What came back: the status, and the body as it is.</summary>
internal sealed record SecureAnswer(int Status, byte[] Body);

/// <summary>The server that answered holds another key than the pinned one.</summary>
/// <param name="shown">Fingerprint of the key it showed.</param>
internal sealed class OtherKeyException(KeyFingerprint shown) : IOException($"its key is {shown}")
{
    /// <summary>Fingerprint of the key it showed.</summary>
    public KeyFingerprint Shown => shown;
}

/// <summary>
/// One small request over the secure channel, with this host's own key: TLS 1.3, the server's key pinned. Not for dumps. It speaks HTTP/1.0, so that
/// the end of the connection is the end of the answer.
/// </summary>
internal static class SecureCall
{
    /// <summary>Asks.</summary>
    /// <param name="server">Where.</param>
    /// <param name="pin">The server's key.</param>
    /// <param name="key">This host's key; stays the caller's.</param>
    /// <param name="method">GET or POST.</param>
    /// <param name="path">Path.</param>
    /// <param name="body">JSON; empty for none.</param>
    /// <param name="limit">Time for all of it.</param>
    /// <exception cref="OtherKeyException">The server holds another key.</exception>
    /// <exception cref="IOException">It cannot be reached, broke off, or answered nonsense.</exception>
    public static SecureAnswer Ask(IPEndPoint server, KeyFingerprint pin, ECDsa key, string method, string path, ReadOnlyMemory<byte> body, TimeSpan limit)
    {
        using var time = new CancellationTokenSource(limit);
        try
        {
            return AskAsync(server, pin, key, method, path, body, time.Token).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException e)
        {
            throw new IOException($"no answer within {limit.TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture)} s", e);
        }
        catch (SocketException e)
        {
            throw new IOException(e.SocketErrorCode == SocketError.ConnectionRefused ? "nothing listens there" : e.Message, e);
        }
        catch (AuthenticationException e)
        {
            throw new IOException($"no TLS 1.3 with it: {e.Message}", e);
        }
        finally
        {
            // What TLS was told of our key holds the key itself, and lets go of it in its finalizer alone.
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }

    private static async Task<SecureAnswer> AskAsync(IPEndPoint server, KeyFingerprint pin, ECDsa key, string method, string path, ReadOnlyMemory<byte> body, CancellationToken time)
    {
        using X509Certificate2 own = HostCertificate.OfOwnKey(key, "netdump host");
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server, time).ConfigureAwait(false);
        using var stream = new SslStream(new NetworkStream(socket));
        var tls = new PinnedTls(own, pin);
        try
        {
            await stream.AuthenticateAsClientAsync(tls.Options(), time).ConfigureAwait(false);
        }
        catch (AuthenticationException) when (tls.Wrong is { } other)
        {
            throw new OtherKeyException(other);
        }
        string head = $"{method} {path} HTTP/1.0\r\nHost: {server}\r\nContent-Type: application/json\r\nContent-Length: {body.Length.ToString(CultureInfo.InvariantCulture)}\r\n\r\n";
        await stream.WriteAsync((byte[])[.. Encoding.ASCII.GetBytes(head), .. body.Span], time).ConfigureAwait(false);
        byte[] answer = new byte[2 * UploadPaths.LongestMessage];
        int length = await stream.ReadAtLeastAsync(answer, answer.Length, throwOnEndOfStream: false, time).ConfigureAwait(false);
        if (length == answer.Length) throw new IOException("its answer is too long");
        return Read(answer.AsSpan(0, length));
    }

    /// <summary>Takes an answer apart.</summary>
    /// <exception cref="IOException">It is none.</exception>
    internal static SecureAnswer Read(ReadOnlySpan<byte> answer)
    {
        int end = answer.IndexOf("\r\n\r\n"u8);
        // "HTTP/1.1 200 OK"
        if (end < 0 || !answer.StartsWith("HTTP/1."u8) || answer[8] != ' ' || !int.TryParse(answer.Slice(9, 3), NumberStyles.None, CultureInfo.InvariantCulture, out int status))
            throw new IOException("it does not speak HTTP");
        return new(status, answer[(end + 4)..].ToArray());
    }
}
