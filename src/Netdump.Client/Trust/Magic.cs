using System.Globalization;
using System.Security.Cryptography;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Trust;

/// <summary>
/// The random number that a classic START of this boot carries. The server is told it beforehand by ssh, through the gate that an enrolled key opens,
/// and then takes no START without it from this address. It goes over the network in the clear with the dump: it keeps others from passing for this
/// host before its crash, and does nothing for what follows.
/// </summary>
internal static class Magic
{
    private const string FilePath = "/run/netdump/magic";
    private const string ToldPath = "/run/netdump/magic.told";

    /// <summary>Time for one server. A server that is down must not hold up a boot.</summary>
    private const int ConnectSeconds = 3;

    /// <summary>The magic of this boot, 16 hexadecimal digits; made at the first call. Root's alone.</summary>
    /// <exception cref="IOException">/run cannot be written.</exception>
    public static string OfThisBoot(HostFiles host, string bootId)
    {
        if (host.Read(FilePath)?.Split(' ') is [{ Length: 16 } made, var boot] && boot == bootId && IsMagic(made)) return made;
        string magic = RandomNumberGenerator.GetHexString(16, lowercase: true);
        Directory.CreateDirectory(Path.GetDirectoryName(host.Map(FilePath))!);
        using var text = new SecretBytes(64);
        text.Length = System.Text.Encoding.ASCII.GetBytes($"{magic} {bootId}\n", text.Room);
        SecretFile.Write(host.Map(FilePath), text);
        return magic;
    }

    /// <summary>Deposits it with those pinned servers that were not told in this boot. A crash may come before a server is back: that is a warning.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="configuration">The settings.</param>
    /// <param name="transport">The servers.</param>
    /// <param name="bootId">The boot.</param>
    /// <returns>What was done, and what was not.</returns>
    public static IReadOnlyList<Check> Deposit(HostFiles host, ClientConfiguration configuration, TransportPlan transport, string bootId)
    {
        if (!transport.HasMagic) return [];
        string magic = OfThisBoot(host, bootId);
        HashSet<string> told = [.. host.Lines(ToldPath)];
        string[] servers = [.. transport.Pins.Keys.Select(s => s.Host).Distinct().Where(s => !told.Contains($"{magic} {s}"))];
        if (servers.Length == 0) return [];
        var checks = new List<Check>();
        try
        {
            using ECDsa key = HostKey.Open(host);
            foreach (string server in servers)
            {
                try
                {
                    Deposit(key, configuration, server, magic);
                    Note(host, magic, server);
                    checks.Add(new(CheckLevel.Ok, "magic", $"{server} takes classic dumps of this host only with the number that it was told"));
                }
                catch (ClientException e)
                {
                    checks.Add(new(CheckLevel.Warn, "magic", e.Fact, e.Advice, "magic"));
                }
            }
        }
        catch (Exception e) when (e is ClientException or IOException or UnauthorizedAccessException)
        {
            checks.Add(new(CheckLevel.Warn, "magic", e.Message, "netdump propagate", "magic"));
        }
        return checks;
    }

    /// <summary>Deposits it with a server.</summary>
    /// <param name="key">This host's key; ssh never gets to read it.</param>
    /// <param name="configuration">The settings of ssh.</param>
    /// <param name="server">Name or address.</param>
    /// <param name="magic">The magic.</param>
    /// <exception cref="ClientException">It did not work.</exception>
    private static void Deposit(ECDsa key, ClientConfiguration configuration, string server, string magic)
    {
        using var agent = new KeyAgent(key);
        string half = agent.Path + ".pub"; // ssh offers the agent's key that this file names, and no other
        File.WriteAllText(half, SshPublicKey.Of(key, "") + "\n");
        string[] options =
        [
            .. SshEnrolment.OptionsOf(configuration, ["BatchMode=yes", $"ConnectTimeout={ConnectSeconds.ToString(CultureInfo.InvariantCulture)}", $"IdentityAgent={agent.Path}", "IdentitiesOnly=yes"]),
            "-i", half,
        ];
        (int exit, _) = new SshEnrolment(options).Run("netdump", server, $"magic {magic}", "", isQuiet: true);
        if (exit != 0) throw new ClientException($"{server} was not told the magic of classic dumps (ssh netdump@{server} magic …: exit code {exit})", "netdump watch tries again; netdump propagate when the key is not enrolled there");
    }

    // The servers that were told, with what: root's alone, as the magic is.
    private static void Note(HostFiles host, string magic, string server)
    {
        using var text = new SecretBytes(SecretFile.Limit);
        string lines = string.Concat(host.Lines(ToldPath).Where(l => l.StartsWith(magic, StringComparison.Ordinal)).Append($"{magic} {server}").Select(l => l + "\n"));
        text.Length = System.Text.Encoding.UTF8.GetBytes(lines, text.Room);
        SecretFile.Write(host.Map(ToldPath), text);
    }

    private static bool IsMagic(string text) => text.All(char.IsAsciiHexDigitLower);
}
