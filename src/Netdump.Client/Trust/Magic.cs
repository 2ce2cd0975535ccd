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

    /// <summary>Deposits it with a server.</summary>
    /// <param name="key">This host's key; ssh never gets to read it.</param>
    /// <param name="configuration">The settings of ssh.</param>
    /// <param name="server">Name or address.</param>
    /// <param name="magic">The magic.</param>
    /// <exception cref="ClientException">It did not work.</exception>
    public static void Deposit(ECDsa key, ClientConfiguration configuration, string server, string magic)
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

    private static bool IsMagic(string text) => text.All(char.IsAsciiHexDigitLower);
}
