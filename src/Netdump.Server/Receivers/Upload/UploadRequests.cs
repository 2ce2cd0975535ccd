using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Netdump.Protocols.Keys;
using Netdump.Protocols.Upload;
using Netdump.Server.Receivers.Udp;

namespace Netdump.Server.Receivers.Upload;

/// <summary>
/// Requests of the secure port, as docs/upload.md has them: who asks is known before anything of a body is read, and every refusal is one
/// problem+json, counted once.
/// </summary>
internal sealed class UploadRequests(UploadContext context, UploadCrashes crashes, AddressLimits limits, KestrelRefusals kestrel)
{
    private const string OffsetType = "application/offset+octet-stream";
    private const string JsonType = "application/json";

    private readonly NamedOnce _named = new();
    private readonly HostAnswers _hosts = new(context, crashes);

    /// <summary>Answers a request; never throws but for a connection that is gone.</summary>
    public async Task HandleAsync(HttpContext http)
    {
        context.Counters.CountRequest();
        using UploadBody body = new(http);
        IPAddress address = AddressKey.From(http.Connection.RemoteIpAddress!).ToIPAddress();
        http.Response.Headers["Tus-Resumable"] = TusHeaders.Version;
        try
        {
            await DispatchAsync(http, body, address);
        }
        catch (Refusal refusal)
        {
            await RefuseAsync(http, refusal, address);
        }
        catch (BadHttpRequestException bad)
        {
            // The body came too slowly, was longer than allowed, or ended early.
            bool isSlow = bad.StatusCode == StatusCodes.Status408RequestTimeout;
            context.Counters.CountRefused(isSlow ? "slow-body" : bad.StatusCode == StatusCodes.Status413PayloadTooLarge ? "too-large" : "bad-message");
            kestrel.NoteCounted(http.Connection.Id);
            if (http.Response.HasStarted)
                return;
            http.Response.StatusCode = bad.StatusCode;
            http.Response.Headers.Connection = "close";
        }
        catch (Exception e) when (e is OperationCanceledException or IOException && http.RequestAborted.IsCancellationRequested || e is Microsoft.AspNetCore.Connections.ConnectionResetException)
        {
            // The client is gone; what it sent without a digest is kept.
            http.Abort();
        }
        catch (Exception e)
        {
            Log.UploadFailed(context.Log, address, e.Message);
            if (!http.Response.HasStarted)
                await RefuseAsync(http, new Refusal(500, "failed", "the server could not do that", "look at the server's log") { Closes = true }, address);
        }
    }

    private async Task DispatchAsync(HttpContext http, UploadBody body, IPAddress address)
    {
        HostCertificate certificate = CertificateOf(http);
        string path = http.Request.Path.Value ?? "";
        string method = MethodOf(http.Request);
        if (path == UploadPaths.Enrol && method == "POST")
        {
            Admit(address);
            await _hosts.EnrolAsync(http, body, certificate, address);
            return;
        }

        if (Caller.Find(certificate, context.Enrolled) is not { } caller)
        {
            Admit(address);
            throw Refusal.NotEnrolled();
        }

        if (method == "OPTIONS")
        {
            http.Response.StatusCode = StatusCodes.Status204NoContent;
            http.Response.Headers["Tus-Version"] = TusHeaders.Version;
            http.Response.Headers["Tus-Extension"] = TusHeaders.Extensions;
            http.Response.Headers["Tus-Checksum-Algorithm"] = TusHeaders.Algorithms;
            return;
        }

        switch (path)
        {
            case UploadPaths.Crashes:
                Expect(http, method, "POST");
                (CrashAnswer answer, bool isNew) = await crashes.AnnounceAsync(await MessageAsync(body, UploadJson.Default.CrashAnnouncement), caller, address, body);
                http.Response.Headers.Location = PathOf(answer.Crash);
                await AnswerAsync(http, isNew ? 201 : 200, answer, UploadJson.Default.CrashAnswer);
                return;
            case UploadPaths.Host:
                Expect(http, method, "GET");
                await AnswerAsync(http, 200, _hosts.StandingOf(caller, address), UploadJson.Default.HostStanding);
                return;
        }

        string prefix = UploadPaths.Crashes + "/";
        string[] parts = path.StartsWith(prefix, StringComparison.Ordinal) ? path[prefix.Length..].Split('/') : [];
        if (parts.Length != 2)
            throw new Refusal(404, "not-found", "there is nothing at this path", "docs/upload.md lists what there is");
        UploadCrash crash = crashes.Find(parts[0], caller);
        switch (parts[1])
        {
            case UploadPaths.Log:
                Expect(http, method, "PUT");
                await crash.PutLogAsync(body);
                http.Response.StatusCode = StatusCodes.Status204NoContent;
                break;
            case UploadPaths.Tasks:
                Expect(http, method, "PUT");
                await crash.PutTasksAsync(body);
                http.Response.StatusCode = StatusCodes.Status204NoContent;
                break;
            case UploadPaths.Done:
                Expect(http, method, "POST");
                CrashResult result = await crash.FinishAsync(await MessageAsync(body, UploadJson.Default.CrashDone), body);
                await AnswerAsync(http, 200, result, UploadJson.Default.CrashResult);
                break;
            case UploadPaths.Vmcore:
                await VmcoreAsync(http, method, crash, body);
                break;
            default:
                throw new Refusal(404, "not-found", "there is nothing at this path", "docs/upload.md lists what there is");
        }
    }

    private static async Task VmcoreAsync(HttpContext http, string method, UploadCrash crash, UploadBody body)
    {
        IHeaderDictionary headers = http.Response.Headers;
        Expect(http, method, "POST", "HEAD", "PATCH", "DELETE");
        if (http.Request.Headers["Tus-Resumable"] != TusHeaders.Version)
        {
            headers["Tus-Version"] = TusHeaders.Version;
            throw new Refusal(412, "wrong-version", $"the header Tus-Resumable: {TusHeaders.Version} is needed");
        }

        switch (method)
        {
            case "POST":
                long? length = Number(http, "Upload-Length");
                if ((length is null) == (http.Request.Headers["Upload-Defer-Length"] != "1") || length == 0)
                    throw Refusal.BadMessage(length == 0 ? "a vmcore has bytes" : "either Upload-Length or Upload-Defer-Length: 1 is needed");
                await crash.CreateVmcoreAsync(length, body);
                headers.Location = PathOf(crash.Directory.Name) + "/" + UploadPaths.Vmcore;
                http.Response.StatusCode = StatusCodes.Status201Created;
                break;
            case "HEAD":
                (long at, long? declared) = await crash.StandingAsync(body);
                headers.CacheControl = "no-store";
                headers["Upload-Offset"] = Text(at);
                if (declared is { } known)
                    headers["Upload-Length"] = Text(known);
                else
                    headers["Upload-Defer-Length"] = "1";
                break;
            case "PATCH":
                if (body.Type != OffsetType)
                    throw Refusal.WrongType(OffsetType);
                if (Number(http, "Upload-Offset") is not { } offset)
                    throw Refusal.BadMessage("Upload-Offset is needed");
                ChecksumKind kind = ChecksumKind.None;
                byte[] digest = [];
                if (http.Request.Headers.TryGetValue("Upload-Checksum", out var checksum) && !TusHeaders.TryReadChecksum(checksum.ToString(), out kind, out digest))
                    throw Refusal.BadMessage("Upload-Checksum is neither sha1 nor sha256 and base64 of its bytes");
                headers["Upload-Offset"] = Text(await crash.PatchAsync(body, offset, kind, digest, Number(http, "Upload-Length")));
                http.Response.StatusCode = StatusCodes.Status204NoContent;
                break;
            default:
                await crash.EndVmcoreAsync(body);
                http.Response.StatusCode = StatusCodes.Status204NoContent;
                return;
        }

        if (crash.Record.Vmcore == Store.VmcoreState.Receiving)
            headers["Upload-Expires"] = crash.Expires.UtcDateTime.ToString("R", CultureInfo.InvariantCulture);
    }

    private void Admit(IPAddress address)
    {
        if (!limits.AdmitStranger(UploadPort.LimitedBy(address), MonotonicClock.Now))
            throw new Refusal(429, "busy", "too many requests of keys that are not enrolled from this address", "enrol the key, and try again later") { RetryAfter = 60, Closes = true };
    }

    private static HostCertificate CertificateOf(HttpContext http)
    {
        IDictionary<object, object?> items = http.Features.Get<Microsoft.AspNetCore.Connections.Features.IConnectionItemsFeature>()!.Items;
        if (items.TryGetValue(typeof(HostCertificate), out object? known))
            return (HostCertificate)known!;
        // The handshake let nothing else pass.
        if (http.Features.Get<ITlsConnectionFeature>()?.ClientCertificate is not { } shown || !HostCertificate.TryRead(shown.RawData, out HostCertificate? certificate))
            throw Refusal.NotEnrolled();
        items[typeof(HostCertificate)] = certificate;
        return certificate;
    }

    // Of the standard: clients that cannot say PATCH or DELETE.
    private static string MethodOf(HttpRequest request) =>
        request.Method == "POST" && request.Headers.TryGetValue("X-HTTP-Method-Override", out var other) ? other.ToString().ToUpperInvariant() : request.Method;

    private static void Expect(HttpContext http, string method, params ReadOnlySpan<string> allowed)
    {
        if (allowed.Contains(method))
            return;
        http.Response.Headers.Allow = string.Join(", ", allowed!);
        throw new Refusal(405, "wrong-method", $"{(method.Length > 16 ? "this method" : method)} does nothing at this path");
    }

    private static long? Number(HttpContext http, string field)
    {
        if (!http.Request.Headers.TryGetValue(field, out var text))
            return null;
        return TusHeaders.TryReadNumber(text.ToString(), out long number) ? number : throw Refusal.BadMessage($"{field} is no number");
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string PathOf(string crash) => $"{UploadPaths.Crashes}/{crash}";

    internal static async Task<T> MessageAsync<T>(UploadBody body, JsonTypeInfo<T> type)
        where T : class
    {
        body.Allow(UploadPaths.LongestMessage);
        byte[] text = new byte[UploadPaths.LongestMessage + 1];
        int length = 0;
        for (int count; length < text.Length && (count = await body.ReadAsync(text.AsMemory(length))) > 0;)
            length += count;
        if (length == text.Length)
            throw Refusal.TooLarge($"a message has at most {UploadPaths.LongestMessage} bytes");
        try
        {
            return JsonSerializer.Deserialize(text.AsSpan(0, length), type) ?? throw Refusal.BadMessage("the message is null");
        }
        catch (JsonException e)
        {
            throw Refusal.BadMessage($"the message is not understood: {OneLine(e.Message)}");
        }
    }

    internal static async Task AnswerAsync<T>(HttpContext http, int status, T message, JsonTypeInfo<T> type)
    {
        byte[] text = JsonSerializer.SerializeToUtf8Bytes(message, type);
        http.Response.StatusCode = status;
        http.Response.ContentType = JsonType;
        http.Response.ContentLength = text.Length;
        await http.Response.Body.WriteAsync(text, http.RequestAborted);
    }

    private async Task RefuseAsync(HttpContext http, Refusal refusal, IPAddress address)
    {
        context.Counters.CountRefused(refusal.Code);
        bool isFirst, isFull;
        lock (_named)
        {
            isFirst = _named.IsFirst(AddressKey.From(address));
            isFull = _named.JustFull;
        }

        if (isFirst)
            Log.UploadRefused(context.Log, address, refusal.Code, refusal.Message);
        if (isFull)
            Log.UploadRefusedMany(context.Log);
        if (http.Response.HasStarted)
        {
            http.Abort();
            return;
        }

        if (refusal.RetryAfter is { } seconds)
            http.Response.Headers.RetryAfter = Text(seconds);
        if (refusal.Closes)
        {
            kestrel.NoteCounted(http.Connection.Id);
            http.Response.Headers.Connection = "close";
        }
        else if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null; // a client that is still sending finds the answer: for some seconds its body is thrown away
        UploadProblem problem = new() { Type = $"urn:netdump:{refusal.Code}", Title = refusal.Message, Status = refusal.Status, Detail = refusal.Remedy };
        byte[] text = JsonSerializer.SerializeToUtf8Bytes(problem, UploadJson.Default.UploadProblem);
        http.Response.StatusCode = refusal.Status;
        http.Response.ContentType = "application/problem+json";
        http.Response.ContentLength = text.Length;
        try
        {
            if (!HttpMethods.IsHead(http.Request.Method))
                await http.Response.Body.WriteAsync(text, http.RequestAborted);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The client did not wait for it.
        }
    }

    private static string OneLine(string text) => string.Concat(text.Take(200).Select(c => char.IsControl(c) ? ' ' : c));
}
