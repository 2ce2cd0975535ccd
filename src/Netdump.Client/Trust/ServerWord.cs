using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Protocols.Upload;

namespace Netdump.Client.Trust;

/// <summary>What a server says of this host.</summary>
/// <param name="Check">In words.</param>
/// <param name="Standing">Its answer; null without one.</param>
public sealed record ServerWord(Check Check, HostStanding? Standing)
{
    private const string Name = "server";

    /// <summary>How long a server may take to answer.</summary>
    public static readonly TimeSpan UsualLimit = TimeSpan.FromSeconds(2);

    /// <summary>Less than this is no room for a dump of most hosts.</summary>
    private const ulong LittleSpace = 1UL << 30;

    /// <summary>Asks.</summary>
    /// <param name="server">As it is configured.</param>
    /// <param name="pin">Its key, and its port of the secure channel.</param>
    /// <param name="address">Its numeric address.</param>
    /// <param name="key">This host's key; stays the caller's.</param>
    /// <param name="limit">How long it may take; null: <see cref="UsualLimit"/>.</param>
    public static ServerWord Ask(Endpoint server, KnownServer pin, IPAddress address, ECDsa key, TimeSpan? limit = null)
    {
        Endpoint there = server with { Port = pin.Server.Port };
        try
        {
            SecureAnswer answer = SecureCall.Ask(new IPEndPoint(address, there.Port), pin.Key, key, "GET", UploadPaths.Host, default, limit ?? UsualLimit);
            return answer.Status == 200 ? Read(there, JsonSerializer.Deserialize(answer.Body, UploadJson.Default.HostStanding)) : Refused(there, answer);
        }
        catch (OtherKeyException e)
        {
            string since = pin.Since is { } day ? $" on {day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}" : "";
            return new(new(CheckLevel.Fail, Name, $"{there} shows another key than the one pinned{since}: pinned {pin.Key}, now {e.Shown}: another server, or somebody between",
                $"compare with netdump-server fingerprint there; if it is right, netdump propagate --server {server.Host}", "server-key"), null);
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            return new(new(CheckLevel.Warn, Name, $"{there} (tcp): {(e is JsonException ? "its answer cannot be read" : e.Message)}", "start netdump-server there, or bring the network up; SECUREPORT if it has another port", "server-down"), null);
        }
    }

    /// <summary>Words for an answer that is no success.</summary>
    private static ServerWord Refused(Endpoint there, SecureAnswer answer)
    {
        UploadProblem? problem = null;
        try
        {
            problem = JsonSerializer.Deserialize(answer.Body, UploadJson.Default.UploadProblem);
        }
        catch (JsonException)
        {
            // the status says enough
        }
        return new(answer.Status == 403
            ? new(CheckLevel.Fail, Name, $"our key is not enrolled at {there} (403)", "netdump propagate", "not-enrolled")
            : new(CheckLevel.Warn, Name, $"{there} answered {answer.Status}{(problem is null ? "" : $": {Printable(problem.Title)}")}", "see the server's log", "server-down"), null);
    }

    private static ServerWord Read(Endpoint there, HostStanding? standing)
    {
        if (standing is null) return new(new(CheckLevel.Warn, Name, $"{there}: its answer is empty", "see the server's log", "server-down"), null);
        string heard = standing.LastConsole is { } at ? $", heard this host's console {Ago(standing.Now - at)}" : ", has heard no console line of this host";
        string fact = $"{there}: {Printable(standing.Server)}, key as pinned, knows this host as {Printable(standing.Name)}, {Size(standing.FreeBytes)} free{heard}";
        return new(standing.FreeBytes < LittleSpace
            ? new(CheckLevel.Warn, Name, $"{fact}: too little for a dump of this host, it would keep log and report only", "make room there", "disk-full")
            : new(CheckLevel.Ok, Name, fact), standing);
    }

    /// <summary>A server's words on our terminal: one line, no control characters.</summary>
    internal static string Printable(string text)
    {
        ReadOnlySpan<char> some = text.AsSpan(0, Math.Min(text.Length, 200));
        return string.Create(some.Length, some, static (to, from) =>
        {
            for (int i = 0; i < from.Length; i++) to[i] = char.IsControl(from[i]) ? '?' : from[i];
        });
    }

    internal static string Size(ulong bytes) => bytes >= 1UL << 40 ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1UL << 40):0.#} TiB")
        : bytes >= 1UL << 30 ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1UL << 30):0.#} GiB") : $"{bytes >> 20} MiB";

    private static string Ago(TimeSpan age) => age.TotalHours >= 48 ? $"{(int)age.TotalDays} days ago" : age.TotalMinutes >= 120 ? $"{(int)age.TotalHours} hours ago"
        : age.TotalSeconds >= 120 ? $"{(int)age.TotalMinutes} min ago" : $"{Math.Max(0, (int)age.TotalSeconds)} s ago";
}
