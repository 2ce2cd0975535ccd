using System.Net;
using Netdump.Client.Image;
using Netdump.Client.Linux;
using Netdump.Client.Send;

namespace Netdump.Client.Capture;

/// <summary>The interfaces of the manifest, brought up as far as they let themselves, and the servers behind them.</summary>
internal sealed class Links(CaptureManifest manifest, RouteNetlink netlink, CaptureConsole console)
{
    private readonly LinkStack _stack = new(manifest.Devices, netlink, new CardSearch(netlink, console.Say).Find, console.Say);
    private readonly Link?[] _up = new Link?[manifest.Interfaces.Count];

    /// <summary>Brings up those that are not up yet.</summary>
    public void BringUp()
    {
        if (_up.All(u => u is not null)) return;
        _stack.Make();
        LinkSetup setup = new(netlink, _stack, console.Say);
        for (int i = 0; i < _up.Length; i++)
        {
            if (_up[i] is not null || setup.BringUp(manifest.Interfaces[i]) is not var (link, set)) continue;
            _up[i] = link;
            console.Reached($"link up: {link.Name} ({set.Name} before), {string.Join(", ", set.Addresses.Select(a => $"{a.Address}/{a.PrefixLength}"))}");
        }
    }

    /// <summary>A server as the sender wants it; a link-local address gets this kernel's number of the interface.</summary>
    public SendTarget Target(CaptureServer server)
    {
        IPAddress address = IPAddress.Parse(server.Address);
        if (address.IsIPv6LinkLocal && server.Interface >= 0 && server.Interface < _up.Length && _up[server.Interface] is { } link)
            address = new IPAddress(address.GetAddressBytes(), link.Index);
        return new SendTarget(server.Name, new IPEndPoint(address, server.Port));
    }
}
