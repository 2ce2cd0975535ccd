using System.CommandLine;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Client.Linux;
using Netdump.Client.Trust;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Commands;

/// <summary><c>netdump propagate</c>: this host and its servers get to know each other's key, once.</summary>
internal static class PropagateCommand
{
    private static readonly TimeSpan TryLimit = TimeSpan.FromSeconds(15);

    private const string Examples = """
        netdump propagate                           to the servers of /etc/netdump.conf: asks for their user netdump's password
        netdump propagate --server 10.0.0.2         to this one
        netdump propagate --ssh-option Port=2222 --name web-17
        netdump propagate --token CODE@SHA256:…     without ssh: what netdump-server enrol --token printed
        """;

    public static Command Create()
    {
        Option<string?> config = StartCommand.ConfigOption();
        var server = new Option<string?>("--server", "-s") { Description = "This server [default: all of NETDUMPADDR, one after the other]", HelpName = "HOST" };
        var user = new Option<string>("--user", "-u") { Description = "The server's user", HelpName = "USER", DefaultValueFactory = _ => "netdump" };
        var options = new Option<string[]>("--ssh-option") { Description = "For ssh, as its -o; may be given several times (SSH_PORT and SSHOPTIONS of the configuration come first)", HelpName = "NAME=VALUE", DefaultValueFactory = _ => [] };
        var token = new Option<string?>("--token") { Description = "Enrol by a token instead of ssh", HelpName = "CODE@SHA256:…" };
        var name = new Option<string?>("--name") { Description = "What this host is called there [default: its host name]", HelpName = "NAME" };
        var json = new Option<bool>("--json") { Description = "For programs" };
        token.Validators.Add(r =>
        {
            if (r.GetValue(token) is { } text && !EnrolmentToken.TryParse(text, out _)) r.AddError("--token is CODE@SHA256:…, as netdump-server enrol --token prints it.");
        });
        server.Validators.Add(r =>
        {
            if (r.GetValue(server) is { } text && Endpoint.TryParse(text, 1) is null) r.AddError($"'{text}' is no HOST.");
        });
        user.Validators.Add(r =>
        {
            if (r.GetValue(user) is not { Length: > 0 } text || text.Any(c => char.IsWhiteSpace(c) || c == '@')) r.AddError("--user is the name of a user.");
        });
        var command = new CommandWithExamples("propagate", "Enrols this host at its servers, and pins their keys: dumps are then encrypted, and no other host can claim to be this one.", Examples)
        {
            config, server, user, options, token, name, json,
        };
        command.SetAction(p => Propagate(p.GetValue(config), p.GetValue(server), p.GetRequiredValue(user), p.GetRequiredValue(options), p.GetValue(token), p.GetValue(name), p.GetValue(json)));
        return command;
    }

    private static int Propagate(string? file, string? server, string user, string[] options, string? tokenText, string? name, bool json)
    {
        RootProgram.RequireRoot("propagate");
        HostFiles host = RootProgram.ThisHost;
        ClientConfiguration configuration = ClientConfiguration.Load(host, file);
        IReadOnlyList<Endpoint> servers = server is not null ? [Endpoint.TryParse(server, 1)!] : configuration.Servers;
        if (servers.Count == 0) throw new ClientException(ArmingPlan.NoServer(configuration));
        EnrolmentToken? token = tokenText is not null && EnrolmentToken.TryParse(tokenText, out EnrolmentToken? parsed) ? parsed : null;
        if (token is not null && servers.Count > 1) throw new ClientException("a token is of one server, and several are configured", "say which: --server HOST");
        Action<string> say = json ? Console.Error.WriteLine : Console.WriteLine;
        SshPublicKey key = HostKey.Ensure(host, name ?? KernelIdentity.Running().NodeName, say);
        var results = new List<PropagateResult>();
        foreach (Endpoint each in servers.DistinctBy(s => s.Host))
        {
            try
            {
                results.Add(Propagate(host, configuration, each, key, fingerprint: () => token is null
                    ? new SshEnrolment(SshEnrolment.OptionsOf(configuration, options)).Enrol(user, each.Host, key) : ByToken(host, token, each with { Port = configuration.SecurePort }, key), say));
            }
            catch (ClientException e)
            {
                // The others may work: a host is better known to one of its servers than to none.
                results.Add(new(each.Host, false, Error: e.Fact, Advice: e.Advice));
                Console.Error.WriteLine($"netdump: {each.Host}: {e.Message}");
            }
        }
        if (json) Console.WriteLine(JsonSerializer.Serialize(new PropagateReport(key.Comment, key.Fingerprint.ToString(), results), PropagateJson.Default.PropagateReport));
        else if (results.Any(r => r.Enrolled)) Console.WriteLine(ArmedState.Read(host) is null ? "netdump start arms this host" : "netdump restart takes this into the capture image");
        return results.All(r => r.Enrolled) ? 0 : 1;
    }

    private static KeyFingerprint ByToken(HostFiles host, EnrolmentToken token, Endpoint server, SshPublicKey half)
    {
        using ECDsa key = HostKey.Open(host);
        token.Enrol(server, key, half.Comment);
        return token.Server;
    }

    private static PropagateResult Propagate(HostFiles host, ClientConfiguration configuration, Endpoint server, SshPublicKey key, Func<KeyFingerprint> fingerprint, Action<string> say)
    {
        KeyFingerprint found = fingerprint();
        KnownServers known = KnownServers.Load(host);
        KeyFingerprint? before = known.Find(server.Host, configuration.SecurePort)?.Key;
        var pin = new KnownServer(server with { Port = configuration.SecurePort }, found, DateOnly.FromDateTime(TimeProvider.System.GetUtcNow().UtcDateTime));
        known.Pin(host, pin);
        string change = before is { } old && old != found ? $" (it was {old})" : "";
        say($"{server.Host}: enrolled {key.Comment}, its key is {found}{change}, pinned in {KnownServers.FilePath}");
        ServerWord word = Try(host, server, pin);
        say(word.Check.ToString());
        return new(server.Host, true, found.ToString(), before is { } was && was != found ? was.ToString() : null, word.Standing?.Name, word.Check.Level != CheckLevel.Ok ? word.Check.Fact : null, word.Check.Advice, word.Check.Code);
    }

    /// <summary>The secure channel is used once at once: what does not work is better known now.</summary>
    private static ServerWord Try(HostFiles host, Endpoint server, KnownServer pin)
    {
        IPAddress address;
        try
        {
            address = server.Resolve()[0];
        }
        catch (ClientException e)
        {
            return new(new(CheckLevel.Warn, "server", e.Fact, e.Advice, "server-down"), null);
        }
        using ECDsa key = HostKey.Open(host);
        return ServerWord.Ask(server, pin, address, key, TryLimit);
    }
}

/// <summary>What <c>propagate --json</c> prints.</summary>
/// <param name="Name">What the host is called.</param>
/// <param name="Key">Fingerprint of its key.</param>
/// <param name="Servers">What became of each server.</param>
internal sealed record PropagateReport(string Name, string Key, IReadOnlyList<PropagateResult> Servers);

/// <summary>What became of a server.</summary>
/// <param name="Server">As it was named.</param>
/// <param name="Enrolled">The key is enrolled there, and the server's pinned here.</param>
/// <param name="Fingerprint">The server's key.</param>
/// <param name="Before">The key that was pinned before, when it was another.</param>
/// <param name="KnownAs">What the server calls this host, when it was asked.</param>
/// <param name="Error">What is wrong.</param>
/// <param name="Advice">What to do.</param>
/// <param name="Code">Code as in <c>status</c>.</param>
internal sealed record PropagateResult(
    string Server, bool Enrolled, string? Fingerprint = null, string? Before = null, string? KnownAs = null, string? Error = null, string? Advice = null, string? Code = null);

/// <summary>Reflection-free serializer of <see cref="PropagateReport"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PropagateReport))]
internal sealed partial class PropagateJson : JsonSerializerContext;
