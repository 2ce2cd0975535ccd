using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Capture;

/// <summary>Finds a card of the dead host again among the capture kernel's devices: never by name, which may differ.</summary>
public static class InterfaceMatch
{
    /// <summary>Looks for several cards; no device is two of them. Those that agree in all come first.</summary>
    /// <param name="wanted">The cards as <c>start</c> saw them.</param>
    /// <param name="devices">What there is now.</param>
    /// <param name="exact">As in <see cref="Find"/>.</param>
    /// <returns>For each card its interface, or null.</returns>
    public static Link?[] FindAll(IReadOnlyList<CaptureCard> wanted, IReadOnlyList<NetworkDevice> devices, bool exact)
    {
        List<NetworkDevice> free = [.. devices];
        var found = new Link?[wanted.Count];
        foreach (bool strict in exact ? [true] : new[] { true, false })
        {
            for (int i = 0; i < wanted.Count; i++)
            {
                if (found[i] is not null || Find(wanted[i], free, strict) is not { } device) continue;
                found[i] = device.Link;
                free.Remove(device);
            }
        }
        return found;
    }

    /// <summary>Looks for the device that has the wanted hardware address and place on the bus.</summary>
    /// <param name="wanted">The card as <c>start</c> saw it.</param>
    /// <param name="devices">What there is now.</param>
    /// <param name="exact">
    /// True: both must agree. False: the address alone is enough (a device moved to another slot), and else the place alone, if only
    /// one device lies there (an address that was set by hand or differs at each start).
    /// </param>
    public static NetworkDevice? Find(CaptureCard wanted, IReadOnlyList<NetworkDevice> devices, bool exact)
    {
        string place = Place(wanted.BusPath);
        bool hasMac = MacAddress.TryParse(wanted.Mac, out MacAddress mac) && !mac.IsZero;
        bool SameMac(NetworkDevice d) => hasMac && (d.Link.Mac == mac || d.Link.PermanentMac == mac);
        bool SamePlace(NetworkDevice d) => place.Length > 0 && string.Equals(Place(d.BusPath), place, StringComparison.Ordinal);

        NetworkDevice? both = devices.FirstOrDefault(d => SameMac(d) && (place.Length == 0 || SamePlace(d)));
        if (both is not null || exact) return both;
        if (devices.FirstOrDefault(SameMac) is { } moved) return moved;
        NetworkDevice[] there = [.. devices.Where(SamePlace)];
        return there.Length == 1 ? there[0] : null;
    }

    /// <summary>
    /// The path without a last part like <c>virtio0</c>: virtio numbers its devices in the order in which they are found, which
    /// depends on the drivers loaded.
    /// </summary>
    private static string Place(string busPath)
    {
        const string Virtio = "virtio";
        int slash = busPath.LastIndexOf('/');
        ReadOnlySpan<char> last = busPath.AsSpan(slash + 1);
        bool numbered = last.StartsWith(Virtio) && last.Length > Virtio.Length && !last[Virtio.Length..].ContainsAnyExceptInRange('0', '9');
        return numbered ? busPath[..slash] : busPath;
    }
}
