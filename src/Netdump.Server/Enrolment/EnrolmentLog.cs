using System.Globalization;
using System.Text;
using Netdump.Protocols.Keys;
using Netdump.Server.Store;

namespace Netdump.Server.Enrolment;

/// <summary>
/// What happened to enrolments: <c>server/enrolment.log</c>, a line each: time, <c>enrolled</c> or <c>revoked</c>, name, key, how, and from where.
/// For people, and for "since when".
/// </summary>
internal static class EnrolmentLog
{
    private const string FileName = "enrolment.log";
    private const int LongestFile = 64 << 20;

    /// <summary>Adds a line. Throws <see cref="StoreException"/>.</summary>
    public static void Append(StoreFolder server, DateTimeOffset at, string what, EnrolledHost host, string way, string? from) =>
        server.Append(FileName, Encoding.ASCII.GetBytes($"{at.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'} {what} {host.Name} {host.Key.Fingerprint} {way} {from ?? "local"}\n"));

    /// <summary>When each key was enrolled last, as far as it was noted. Throws <see cref="StoreException"/>.</summary>
    public static Dictionary<KeyFingerprint, DateTimeOffset> ReadTimes(StoreFolder? server)
    {
        Dictionary<KeyFingerprint, DateTimeOffset> times = [];
        foreach (string line in Encoding.ASCII.GetString(server?.TryRead(FileName, LongestFile) ?? []).Split('\n'))
        {
            string[] fields = line.Split(' ');
            if (fields.Length >= 4 && fields[1] == "enrolled" && KeyFingerprint.TryParse(fields[3], out KeyFingerprint key)
                && DateTimeOffset.TryParse(fields[0], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset at)) times[key] = at;
        }

        return times;
    }
}
