using Netdump.Client.Host;

namespace Netdump.Client.Tests.Host;

/// <summary>A made-up tree that stands for "/".</summary>
public sealed class FakeHost : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("netdump-host-").FullName;

    public HostFiles Files => new(Root);

    public string Write(string path, string text = "") => Write(path, System.Text.Encoding.UTF8.GetBytes(text));

    public string Write(string path, byte[] bytes)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Root + path)!);
        File.WriteAllBytes(Root + path, bytes);
        return Root + path;
    }

    public void MakeDirectory(string path) => Directory.CreateDirectory(Root + path);

    public void Link(string path, string target)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Root + path)!);
        File.CreateSymbolicLink(Root + path, target);
    }

    /// <summary>A virtio network card behind PCI, as sysfs shows it.</summary>
    public void AddVirtioCard(string name = "eth0", int slot = 3)
    {
        string pci = $"/sys/devices/pci0000:00/0000:00:{slot:x2}.0", device = $"{pci}/virtio{slot - 3}";
        Write($"{device}/net/{name}/uevent", $"INTERFACE={name}\nIFINDEX=2\n");
        Write($"{device}/net/{name}/carrier", "1\n");
        Link($"{device}/net/{name}/device", $"../../../virtio{slot - 3}");
        Link($"/sys/class/net/{name}", $"../..{device[4..]}/net/{name}");
        AddDriver(device, "virtio", "virtio_net", "virtio_net");
        AddDriver(pci, "pci", "virtio-pci", "virtio_pci");
    }

    /// <summary>Binds a device to a driver; a driver built in without parameters has no module.</summary>
    public void AddDriver(string device, string bus, string driver, string? module)
    {
        MakeDirectory($"/sys/bus/{bus}/drivers/{driver}");
        Link($"{device}/driver", Path.GetRelativePath(device, $"/sys/bus/{bus}/drivers/{driver}"));
        if (module is null) return;
        MakeDirectory($"/sys/module/{module}");
        if (!Path.Exists($"{Root}/sys/bus/{bus}/drivers/{driver}/module")) Link($"/sys/bus/{bus}/drivers/{driver}/module", $"../../../../module/{module}");
    }

    /// <summary>An interface without a device (bridge, bond, vlan) on top of others.</summary>
    public void AddUpper(string name, string kind, params string[] ports)
    {
        Write($"/sys/devices/virtual/net/{name}/uevent", $"DEVTYPE={kind}\nINTERFACE={name}\n");
        Link($"/sys/class/net/{name}", $"../../devices/virtual/net/{name}");
        foreach (string port in ports)
        {
            Link($"/sys/devices/virtual/net/{name}/lower_{port}", $"../../../../class/net/{port}");
            if (kind is "bond" or "bridge") Link($"/sys/class/net/{port}/master", $"/sys/class/net/{name}");
        }
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
