using System.Net;
using System.Security.Cryptography;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Client.Linux;

namespace Netdump.Client.Trust;

/// <summary>Asks several servers at once.</summary>
internal static class ServerWords
{
    /// <summary>Asks those whose key is known and whose address is.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="transport">Their keys.</param>
    /// <param name="servers">As they are configured, with their addresses; null for those to which there is no way.</param>
    /// <param name="limit">How long each may take; null: <see cref="ServerWord.UsualLimit"/>.</param>
    /// <returns>In the same order; null for those that were not asked.</returns>
    public static ServerWord?[] Ask(HostFiles host, TransportPlan transport, IReadOnlyList<(Endpoint Server, IPAddress? Address)> servers, TimeSpan? limit = null)
    {
        var words = new ServerWord?[servers.Count];
        if (!transport.IsSecure) return words;
        ECDsa key;
        try
        {
            key = HostKey.Open(host);
        }
        catch (Exception e) when (e is ClientException or IOException or UnauthorizedAccessException)
        {
            Check unknown = e is LinuxException { Error: Errno.Denied } ? new(CheckLevel.Unknown, "server", "not asked: only root can read this host's key", "run it as root")
                : new(CheckLevel.Fail, "server", $"not asked: {e.Message}", "netdump propagate", "not-enrolled");
            for (int i = 0; i < words.Length; i++) words[i] = transport.Pins.ContainsKey(servers[i].Server) ? new(unknown, null) : null;
            return words;
        }
        using (key)
        {
            // A thread each, made here: a thread of the pool may be in another network namespace than the caller.
            Task.WaitAll([.. Enumerable.Range(0, words.Length).Select(i => Task.Factory.StartNew(() =>
            {
                if (servers[i] is ({ } server, { } address) && transport.Pins.TryGetValue(server, out KnownServer? pin)) words[i] = ServerWord.Ask(server, pin, address, key, limit);
            }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))]);
        }
        return words;
    }

    /// <summary>Asks all servers of a configuration, whatever the way to them is.</summary>
    /// <returns>What is wrong; nothing when all is well.</returns>
    public static IReadOnlyList<Check> Troubles(HostFiles host, ClientConfiguration configuration)
    {
        TransportPlan transport = TransportPlan.Make(host, configuration);
        var servers = new List<(Endpoint, IPAddress?)>();
        foreach (Endpoint server in configuration.Servers)
        {
            try
            {
                servers.Add((server, server.Resolve()[0]));
            }
            catch (ClientException)
            {
                servers.Add((server, null)); // the path's check says it
            }
        }
        return [.. Ask(host, transport, servers).Select(w => w?.Check).OfType<Check>().Where(c => c.Level is CheckLevel.Warn or CheckLevel.Fail)];
    }
}
