using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Client.Image;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Trust;

/// <summary>By which way dumps of this host go, from what is configured and what <c>propagate</c> left behind. The servers are not asked.</summary>
/// <param name="Key">The public half of the host's key; null: there is none.</param>
/// <param name="Pins">Those of the configured servers whose key is known.</param>
/// <param name="Classic">The classic protocol may be used.</param>
/// <param name="IsSecure">At least one server is reached by the secure channel.</param>
/// <param name="Checks">Whose key it is, in words, and the servers that stay out.</param>
public sealed record TransportPlan(SshPublicKey? Key, IReadOnlyDictionary<Endpoint, KnownServer> Pins, bool Classic, bool IsSecure, IReadOnlyList<Check> Checks)
{
    private const string Name = "identity", Propagate = "netdump propagate";

    /// <summary>A magic can be deposited with the servers before a classic dump needs it.</summary>
    public bool HasMagic => Classic && Pins.Count > 0;

    /// <summary>Works it out.</summary>
    /// <exception cref="ClientException">A line of known_servers is wrong.</exception>
    public static TransportPlan Make(HostFiles host, ClientConfiguration configuration)
    {
        SshPublicKey? key = HostKey.FindPublic(host);
        KnownServers known = KnownServers.Load(host);
        var pins = new Dictionary<Endpoint, KnownServer>();
        foreach (Endpoint server in configuration.Servers)
            if (key is not null && known.Find(server.Host, configuration.SecurePort) is { } pin) pins.TryAdd(server, pin);
        if (configuration.Transport == Transport.Classic)
            return new(key, pins, true, false, [new(CheckLevel.Unknown, Name, "TRANSPORT=classic: dumps go in the clear, and a host is known by its address alone", Code: "no-secure-channel")]);
        bool isClassic = configuration.ClassicFallback || (configuration.Transport == Transport.Auto && pins.Count == 0);
        return new(key, pins, isClassic, pins.Count > 0, [Identity(host, configuration, key, pins.Count > 0), .. Strangers(configuration, pins, isClassic)]);
    }

    /// <summary>A server of the image with its secure channel, where it has one.</summary>
    /// <param name="server">As the network has it.</param>
    /// <param name="endpoint">As it is configured.</param>
    public CaptureServer With(CaptureServer server, Endpoint endpoint) =>
        IsSecure && Pins.TryGetValue(endpoint, out KnownServer? pin) ? server with { Secure = new CaptureChannel(pin.Server.Port, pin.Key.ToString()) } : server;

    private static Check Identity(HostFiles host, ClientConfiguration configuration, SshPublicKey? key, bool isPinned)
    {
        bool isRequired = configuration.Transport == Transport.Secure;
        CheckLevel missing = isRequired ? CheckLevel.Fail : CheckLevel.Warn;
        string inTheClear = isRequired ? "" : ": dumps go in the clear, and a host is known by its address alone";
        if (HostKey.OtherMachine(host) is { } other)
            return new(CheckLevel.Fail, Name, $"this key belongs to machine-id {other}: this disk was copied from that machine, and both would pass for one host", $"{Propagate}   (it makes a key of this machine's own)", "clone");
        if (key is null)
            return HostKey.Exists(host) ? new(CheckLevel.Fail, Name, $"{HostKey.FilePath}.pub does not hold the public half of the key beside it", Propagate, "not-enrolled")
                : new(missing, Name, $"this host has no key{inTheClear}", Propagate, "not-enrolled");
        return isPinned ? new(CheckLevel.Ok, Name, $"key of this machine, {key.Fingerprint}")
            : new(missing, Name, $"no server of NETDUMPADDR is in {KnownServers.FilePath}{inTheClear}", Propagate, "not-enrolled");
    }

    /// <summary>Servers whose key is not known, beside others whose key is.</summary>
    private static IEnumerable<Check> Strangers(ClientConfiguration configuration, Dictionary<Endpoint, KnownServer> pins, bool isClassic) => pins.Count == 0 ? [] :
        configuration.Servers.Where(s => !pins.ContainsKey(s)).Select(s => new Check(CheckLevel.Warn, Name, $"{s.Host} is not in {KnownServers.FilePath}: {(isClassic ? "a dump goes there in the clear" : "no dump goes there")}", $"{Propagate} --server {s.Host}", "not-enrolled"));
}
