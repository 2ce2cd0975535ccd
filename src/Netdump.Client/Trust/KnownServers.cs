using System.Globalization;
using System.Text;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Protocols.Keys;
using Netdump.Protocols.Upload;

namespace Netdump.Client.Trust;

/// <summary>A server whose key is known.</summary>
/// <param name="Server">Name or address as the configuration has it, and the port of the secure channel.</param>
/// <param name="Key">Fingerprint of its key.</param>
/// <param name="Since">Day on which it was pinned; null when the line does not say.</param>
public sealed record KnownServer(Endpoint Server, KeyFingerprint Key, DateOnly? Since);

/// <summary>
/// The pinned servers: <c>/etc/netdump/known_servers</c>, a line each: <c>HOST[:PORT] SHA256:BASE64 [YYYY-MM-DD]</c>; <c>#</c> begins a remark. Nothing else
/// makes a server trusted: names and dates of certificates mean nothing.
/// </summary>
public sealed class KnownServers
{
    /// <summary>Where they lie.</summary>
    public const string FilePath = HostKey.DirectoryPath + "/known_servers";

    private readonly List<string> _lines;
    private readonly List<KnownServer> _servers = [];

    private KnownServers(IEnumerable<string> lines)
    {
        _lines = [.. lines];
        for (int i = 0; i < _lines.Count; i++)
            if (Read(_lines[i], i + 1) is { } server) _servers.Add(server);
    }

    /// <summary>Reads the file; none is no server.</summary>
    /// <exception cref="ClientException">A line is none of ours: whoever mistypes a pin must not go without it.</exception>
    public static KnownServers Load(HostFiles host) => new(host.Lines(FilePath));

    /// <summary>The pin of a server; the last line of it counts.</summary>
    /// <param name="name">Name or address as the configuration has it.</param>
    /// <param name="port">Port of the secure channel.</param>
    public KnownServer? Find(string name, int port) => _servers.FindLast(s => Is(s, name, port));

    /// <summary>Pins a server's key, in place of an earlier one, and writes the file.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="server">The server and its key.</param>
    /// <exception cref="IOException">The file cannot be written; also <see cref="UnauthorizedAccessException"/>.</exception>
    public void Pin(HostFiles host, KnownServer server)
    {
        if (Find(server.Server.Host, server.Server.Port)?.Key == server.Key) return; // the day it was pinned first stays
        for (int i = _lines.Count - 1; i >= 0; i--)
            if (Read(_lines[i], i + 1) is { } old && Is(old, server.Server.Host, server.Server.Port)) _lines.RemoveAt(i);
        _lines.Add($"{server.Server} {server.Key}{(server.Since is { } day ? day.ToString(" yyyy-MM-dd", CultureInfo.InvariantCulture) : "")}");
        _servers.RemoveAll(s => Is(s, server.Server.Host, server.Server.Port));
        _servers.Add(server);
        var text = new StringBuilder();
        foreach (string line in _lines) text.Append(line).Append('\n');
        PublicFile.Write(host.Map(FilePath), text.ToString());
    }

    private static bool Is(KnownServer server, string name, int port) =>
        server.Server.Port == port && server.Server.Host.Equals(name, StringComparison.OrdinalIgnoreCase);

    private static KnownServer? Read(string line, int number)
    {
        int remark = line.IndexOf('#', StringComparison.Ordinal);
        string[] words = (remark < 0 ? line : line[..remark]).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0) return null;
        DateOnly day = default;
        if (words.Length is 2 or 3 && Endpoint.TryParse(words[0], UploadPaths.DefaultPort) is { } server && KeyFingerprint.TryParse(words[1], out KeyFingerprint key)
            && (words.Length == 2 || DateOnly.TryParseExact(words[2], "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out day)))
            return new KnownServer(server, key, words.Length == 3 ? day : null);
        throw new ClientException($"{FilePath}:{number}: '{line}' is not HOST[:PORT] SHA256:BASE64 [YYYY-MM-DD]", "correct it, or remove the line and run netdump propagate");
    }
}
