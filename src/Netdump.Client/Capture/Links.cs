using System.Net;
using Netdump.Client.Image;
using Netdump.Client.Linux;
using Netdump.Client.Send;

namespace Netdump.Client.Capture;

/// <summary>The interfaces of the manifest, brought up as far as they let themselves, and the servers behind them.</summary>
internal sealed class Links(IReadOnlyList<CaptureInterface> wanted, LinkSetup setup, CaptureConsole console)
{
    private readonly Link?[] _up = new Link?[wanted.Count];

    /// <summary>Brings up those that are not up yet.</summary>
    public void BringUp()
    {
        for (int i = 0; i < wanted.Count; i++)
        {
            if (_up[i] is not null) continue;
            _up[i] = setup.BringUp(wanted[i]);
            if (_up[i] is { } link)
                console.Reached($"link up: {link.Name} ({wanted[i].Name} before), {string.Join(", ", wanted[i].Addresses.Select(a => $"{a.Address}/{a.PrefixLength}"))}");
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
