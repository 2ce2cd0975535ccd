using System.Net;

namespace Netdump.Client.Host;

/// <summary>A lease as a DHCP client's file tells it.</summary>
/// <param name="ClientId">The name by which the host asked (option 61) in hexadecimal digits; null when the file does not tell.</param>
/// <param name="IsInForce">
/// The file by itself proves that the address is leased: it is of this boot, or of a lease without an end, as which the kernel shows it as set for
/// good. Others may be left over from a time before the address was set by hand.
/// </param>
public sealed record LeaseFile(string? ClientId, bool IsInForce);

/// <summary>
/// What the host's DHCP client wrote down: systemd-networkd, NetworkManager or dhclient. The kernel tells that an address is leased; the files
/// add the name by which it was asked for, and tell of leases without an end.
/// </summary>
public sealed class LeaseFiles(HostFiles host)
{
    private static readonly string[] Directories = ["/var/lib/NetworkManager", "/var/lib/dhcp", "/var/lib/dhclient", "/var/lib/dhcp3", "/run"];

    /// <summary>The lease of an address; null when no file tells of one.</summary>
    /// <param name="index">The interface.</param>
    /// <param name="name">Its name.</param>
    /// <param name="address">The address.</param>
    public LeaseFile? Find(int index, string name, IPAddress address)
    {
        string wanted = address.ToString();
        if (ReadSettings($"/run/systemd/netif/leases/{index}", wanted, isOfThisBoot: true) is { } ofNetworkd) return ofNetworkd;
        foreach (string directory in Directories)
        {
            foreach (string file in host.Names(directory).Where(f => IsOf(f, name)))
            {
                string path = $"{directory}/{file}";
                if ((file.StartsWith("internal-", StringComparison.Ordinal) ? ReadSettings(path, wanted, isOfThisBoot: false) : ReadDhclient(path, name, wanted)) is { } found) return found;
            }
        }
        return null;
    }

    /// <summary>internal-UUID-eth0.lease, dhclient-UUID-eth0.lease, dhclient-eth0.leases, dhclient.eth0.leases, dhclient.leases.</summary>
    private static bool IsOf(string file, string name)
    {
        if (!file.EndsWith(".lease", StringComparison.Ordinal) && !file.EndsWith(".leases", StringComparison.Ordinal)) return false;
        if (file == "dhclient.leases") return true;
        string bare = file[..file.LastIndexOf('.')];
        bool known = bare.StartsWith("internal-", StringComparison.Ordinal) || bare.StartsWith("dhclient", StringComparison.Ordinal);
        return known && (bare.EndsWith("-" + name, StringComparison.Ordinal) || bare.EndsWith("." + name, StringComparison.Ordinal));
    }

    /// <summary>KEY=VALUE lines of sd-dhcp-client.</summary>
    private LeaseFile? ReadSettings(string path, string address, bool isOfThisBoot)
    {
        string? found = null, client = null;
        foreach (string line in Lines(path))
        {
            if (line.StartsWith("ADDRESS=", StringComparison.Ordinal)) found = line[8..];
            else if (line.StartsWith("CLIENTID=", StringComparison.Ordinal)) client = line[9..];
        }
        return found == address ? new LeaseFile(Hexadecimal(client), isOfThisBoot) : null;
    }

    /// <summary>dhclient's blocks, the last one in force: lease { interface "eth0"; fixed-address 10.0.0.5; option dhcp-client-identifier 1:2:3; }</summary>
    private LeaseFile? ReadDhclient(string path, string name, string address)
    {
        LeaseFile? lease = null;
        string? device = null, found = null, client = null;
        bool isForever = false;
        foreach (string raw in Lines(path))
        {
            string line = raw.Trim().TrimEnd(';');
            if (line.StartsWith("lease", StringComparison.Ordinal)) (device, found, client, isForever) = (null, null, null, false);
            else if (line.StartsWith("interface ", StringComparison.Ordinal)) device = line[10..].Trim('"');
            else if (line.StartsWith("fixed-address ", StringComparison.Ordinal)) found = line[14..];
            else if (line.StartsWith("option dhcp-client-identifier ", StringComparison.Ordinal)) client = line[30..];
            else if (line == "expire never") isForever = true;
            else if (line == "}" && found == address && (device is null || device == name)) lease = new LeaseFile(Identifier(client), isForever);
        }
        return lease;
    }

    private string[] Lines(string path) => (host.Read(path) ?? "").Split('\n');

    /// <summary>dhclient writes bytes as 1:52:54:0:12:34:56, and a text in quotes, which stands for type 0 and itself.</summary>
    private static string? Identifier(string? text)
    {
        if (text is null) return null;
        if (text.Length > 2 && text[0] == '"') return Hexadecimal(Convert.ToHexStringLower(System.Text.Encoding.UTF8.GetBytes(text.Trim('"'))));
        string[] bytes = text.Split(':');
        return bytes.All(b => b.Length is 1 or 2) ? Hexadecimal(string.Concat(bytes.Select(b => b.PadLeft(2, '0')))) : null;
    }

    /// <summary>An option holds 2 to 255 bytes.</summary>
    private static string? Hexadecimal(string? digits) =>
        digits is { Length: >= 4 and <= 510 } && digits.Length % 2 == 0 && digits.All(char.IsAsciiHexDigit) ? digits.ToLowerInvariant() : null;
}
