using System.Net;
using System.Text;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>Settings of a netconsole target.</summary>
/// <param name="Extended">Extended records with sequence numbers; otherwise plain lines, as a syslog server understands them.</param>
/// <param name="Device">Interface to send from; not a port of a bond, bridge or team.</param>
/// <param name="Local">Source address.</param>
/// <param name="Remote">Receiver's address, of the same family.</param>
/// <param name="RemotePort">Receiver's UDP port.</param>
/// <param name="Mac">Hardware address of the next hop: netconsole resolves nothing.</param>
/// <param name="UserData">Keys and values the kernel appends to each record, where it can.</param>
public sealed record NetConsoleSettings(
    bool Extended, string Device, IPAddress Local, IPAddress Remote, int RemotePort, string Mac, IReadOnlyList<(string Key, string Value)> UserData);

/// <summary>
/// One target of the kernel's dynamic netconsole: a directory below /sys/kernel/config/netconsole
/// (Documentation/networking/netconsole.rst). What a kernel can do is told by the files it shows, never by its version.
/// </summary>
public sealed class NetConsoleTarget(HostFiles host, string name)
{
    /// <summary>Where the kernel shows its targets.</summary>
    public const string Root = "/sys/kernel/config/netconsole";

    /// <summary>Source port, netconsole's own default. It differs from the dump's, so that a receiver tells the two apart.</summary>
    public const int LocalPort = 6665;

    private const int MaxUserDataValue = 198; // 6.12 takes 199 bytes in one write, the newline included

    private readonly string _path = $"{Root}/{name}";

    /// <summary>True when the kernel knows the target.</summary>
    public bool Exists => host.Exists(_path);

    /// <summary>True when it sends.</summary>
    public bool IsEnabled => host.Read($"{_path}/enabled") is "1" or "Y";

    /// <summary>Sends dropped and allocations failed, where the kernel counts them (6.13 and later); otherwise null.</summary>
    public long? TransmitErrors => long.TryParse(host.Read($"{_path}/transmit_errors"), out long errors) ? errors : null;

    /// <summary>A setting's present text, or null.</summary>
    public string? Read(string setting) => host.Read($"{_path}/{setting}");

    /// <summary>How the target differs from what it should be, in words; empty when it does not.</summary>
    public IReadOnlyList<string> ChangesTo(NetConsoleSettings wanted)
    {
        var changes = new List<string>();
        Compare("dev_name", wanted.Device, "the route leads over");
        Compare("local_ip", wanted.Local.ToString(), "the own address is");
        Compare("remote_ip", wanted.Remote.ToString(), "the receiver's address is");
        Compare("remote_port", wanted.RemotePort.ToString(), "the receiver's port is");
        Compare("remote_mac", wanted.Mac, "the next hop's hardware address is");
        return changes;

        void Compare(string setting, string now, string what)
        {
            if (Read(setting) is not { } was || string.Equals(was, now, StringComparison.OrdinalIgnoreCase)) return;
            // The kernel writes IPv6 addresses in its own way.
            if (IPAddress.TryParse(was, out IPAddress? old) && IPAddress.TryParse(now, out IPAddress? wantedAddress) && old.Equals(wantedAddress)) return;
            changes.Add($"{what} {now} now (was {was})");
        }
    }

    /// <summary>Makes the target anew and switches it on.</summary>
    /// <exception cref="ClientException">A write was refused: names file, value and reason. The target is removed again.</exception>
    public void Start(NetConsoleSettings settings)
    {
        Remove(); // a target that ever had an IPv6 address refuses IPv4 ones up to 6.12
        try
        {
            MakeDirectory(_path);
            Set("extended", settings.Extended ? "1" : "0");
            // A release before plain lines makes the kernel refuse the target.
            if (host.Exists($"{_path}/release")) Set("release", settings.Extended ? "1" : "0");
            Set("dev_name", settings.Device);
            Set("local_port", LocalPort.ToString());
            Set("local_ip", settings.Local.ToString());
            Set("remote_ip", settings.Remote.ToString());
            Set("remote_port", settings.RemotePort.ToString());
            Set("remote_mac", settings.Mac);
            if (settings.Extended && host.Exists($"{_path}/userdata")) SetUserData(settings.UserData);
            Set("enabled", "1");
            if (!IsEnabled) throw new ClientException($"netconsole: the kernel took {name} but did not enable it", "see dmesg for its reason");
        }
        catch (Exception)
        {
            Remove();
            throw;
        }
    }

    /// <summary>Stops and deletes the target; nothing happens when there is none.</summary>
    /// <exception cref="ClientException">The kernel refused.</exception>
    public void Remove()
    {
        if (!Exists) return;
        try
        {
            foreach (string key in host.Names($"{_path}/userdata"))
                if (Directory.Exists(host.Map($"{_path}/userdata/{key}"))) host.RemoveDirectory($"{_path}/userdata/{key}");
            host.RemoveDirectory(_path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ClientException($"cannot remove netconsole target {_path}: {e.Message}", inner: e);
        }
    }

    private void SetUserData(IReadOnlyList<(string Key, string Value)> data)
    {
        foreach ((string key, string value) in data)
        {
            MakeDirectory($"{_path}/userdata/{key}");
            Set($"userdata/{key}/value", Fitting(value));
        }
        foreach (string extra in new[] { "cpu_nr_enabled", "taskname_enabled", "msgid_enabled" })
            if (host.Exists($"{_path}/userdata/{extra}")) Set($"userdata/{extra}", "1");
    }

    /// <summary>Nothing escapes a newline inside a value, and a longer value is refused.</summary>
    private static string Fitting(string value)
    {
        string line = new([.. value.Select(c => char.IsControl(c) ? '_' : c)]);
        while (Encoding.UTF8.GetByteCount(line) > MaxUserDataValue) line = line[..^1];
        return line;
    }

    private void MakeDirectory(string path)
    {
        try
        {
            host.MakeDirectory(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ClientException($"netconsole: cannot make {path}: {e.Message}", inner: e);
        }
    }

    private void Set(string setting, string value)
    {
        try
        {
            host.Write($"{_path}/{setting}", value + "\n");
        }
        catch (LinuxException e)
        {
            string reason = setting == "enabled" ? EnableReason(e.Error) ?? Errno.Text(e.Error) : Errno.Text(e.Error);
            throw new ClientException($"netconsole: writing {value} to {_path}/{setting} failed: {reason}", inner: e);
        }
    }

    /// <summary>What an errno of writing 1 to <c>enabled</c> means (drivers/net/netconsole.c, net/core/netpoll.c).</summary>
    private static string? EnableReason(int error) => error switch
    {
        Errno.NoDevice => "there is no such network device",
        Errno.Busy => "the device is a port of a bond, bridge or team: netconsole needs the upper device",
        Errno.AddressRequired => "the device has no address to send from",
        Errno.NotSupported => "the device's driver refuses netconsole (veth and other virtual devices do)",
        Errno.Invalid => "it is enabled already, or release is set without extended",
        _ => null,
    };
}
