using System.Net;
using Netdump.Kernel.Types;

namespace Netdump.Kernel.Facts;

/// <summary>An address of a network device.</summary>
/// <param name="Address">The address.</param>
/// <param name="PrefixLength">Bits of its network.</param>
public sealed record NetAddress(IPAddress Address, int PrefixLength);

/// <summary>One network device.</summary>
/// <param name="Address">Its struct net_device.</param>
/// <param name="Name">Its name.</param>
/// <param name="Index">Its number.</param>
/// <param name="IsUp">Whether it was set up.</param>
/// <param name="HasCarrier">Whether it had a link.</param>
/// <param name="Mtu">The largest packet, in bytes.</param>
/// <param name="Hardware">Its hardware address; null when it has none of 6 bytes.</param>
/// <param name="Addresses">Its addresses, IPv4 first.</param>
/// <param name="TransmitTimeouts">How often one of its queues did not send in time.</param>
public sealed record NetDevice(
    ulong Address, string Name, int Index, bool IsUp, bool HasCarrier, int Mtu, string? Hardware, IReadOnlyList<NetAddress> Addresses, ulong TransmitTimeouts)
{
    private const int MostDevices = 1 << 14;
    private const int MostAddresses = 1024;
    private const int MostQueues = 1024;
    private const ulong InterfaceUp = 1; // IFF_UP

    internal static IReadOnlyList<NetDevice> ReadAll(CrashedKernel kernel)
    {
        if (kernel.Types is not { } types || kernel.Variable("init_net", "net")["dev_base_head"] is not { Exists: true } list)
            return [];
        var noCarrier = types.EnumValue("netdev_state_t", "__LINK_STATE_NOCARRIER") ?? 2;
        return [.. types.ListEntries(list.Address, "net_device", "dev_list", MostDevices).Select(device => Read(types, device, (int)noCarrier))];
    }

    private static NetDevice Read(KernelTypes types, KernelObject device, int noCarrier)
    {
        Span<byte> hardware = stackalloc byte[6];
        var hasHardware = device["addr_len"].Unsigned == 6 && device["dev_addr"].Pointer is { } at && types.Memory.TryRead(at, hardware);
        var timeouts = 0UL;
        for (var i = 0; i < (int)Math.Min(device["num_tx_queues"].Unsigned ?? 0, MostQueues) && device["_tx"][i] is { Exists: true } queue; i++)
            timeouts += queue["trans_timeout"].Unsigned ?? 0;
        return new NetDevice(
            device.Address, device["name"].Text ?? "?", (int)(device["ifindex"].Unsigned ?? 0), (device["flags"].Unsigned & InterfaceUp) is > 0,
            device["state"].Unsigned is { } state && (state >> noCarrier & 1) == 0, (int)(device["mtu"].Unsigned ?? 0),
            hasHardware ? Convert.ToHexStringLower(hardware).Chunk(2).Select(c => new string(c)).Aggregate((a, b) => $"{a}:{b}") : null,
            [.. Addresses4(types, device), .. Addresses6(types, device)], timeouts);
    }

    private static IEnumerable<NetAddress> Addresses4(KernelTypes types, KernelObject device)
    {
        var address = device["ip_ptr"]["ifa_list"].Target;
        for (var i = 0; i < MostAddresses && address.Exists; i++)
        {
            var bytes = new byte[4];
            if (address["ifa_address"] is not { Exists: true } place || !types.Memory.TryRead(place.Address, bytes))
                yield break;
            yield return new NetAddress(new IPAddress(bytes), (int)(address["ifa_prefixlen"].Unsigned ?? 0));
            address = address["ifa_next"].Target;
        }
    }

    private static IEnumerable<NetAddress> Addresses6(KernelTypes types, KernelObject device)
    {
        if (device["ip6_ptr"]["addr_list"] is not { Exists: true } list)
            yield break;
        foreach (var address in types.ListEntries(list.Address, "inet6_ifaddr", "if_list", MostAddresses))
        {
            var bytes = new byte[16];
            if (address["addr"] is { Exists: true } place && types.Memory.TryRead(place.Address, bytes))
                yield return new NetAddress(new IPAddress(bytes), (int)(address["prefix_len"].Unsigned ?? 0));
        }
    }
}
