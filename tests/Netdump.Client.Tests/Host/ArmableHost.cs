using System.Net;
using Microsoft.Win32.SafeHandles;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Client.Linux;
using Netdump.Client.Tests.Image;
using Netdump.Client.Tests.Linux;

namespace Netdump.Client.Tests.Host;

/// <summary>
/// A host that can be armed: made-up /proc, /sys, /boot and /lib, a kernel that takes crash kernels, and a real network with one card,
/// in a namespace of the test.
/// </summary>
internal sealed class ArmableHost : IDisposable
{
    public const string Card = "east", Own = "10.79.0.2", Server = "10.79.0.9", Mac = "02:00:00:00:00:09";
    public const string Loaded = "/sys/kernel/kexec_crash_loaded";

    public ArmableHost(RouteNetlink netlink)
    {
        Netlink = netlink;
        NetworkNamespace.Ip("link add east type veth peer name west");
        foreach (Link end in netlink.Links().Where(l => l.Name is "east" or "west")) netlink.SetUp(end.Index);
        Index = netlink.Links().Single(l => l.Name == Card).Index;
        netlink.AddAddress(Index, IPAddress.Parse(Own), 24);
        SetNextHop(Mac);

        Files = new Kernel(Fake.Root);
        Release = KernelIdentity.Running().Release;
        Fake.AddVirtioCard(Card);
        foreach (string module in new[] { "virtio_net", "virtio_pci" })
            Fake.Write($"/lib/modules/{Release}/kernel/drivers/{module}.ko", TinyElf.Module("license=GPL"));
        Fake.Write($"/lib/modules/{Release}/modules.dep", "kernel/drivers/virtio_net.ko:\nkernel/drivers/virtio_pci.ko:\n");
        Fake.Write($"/boot/vmlinuz-{Release}", "a kernel");
        Fake.Write("/proc/cmdline", "root=/dev/vda1 crashkernel=160M\n");
        Fake.Write("/proc/sys/kernel/random/boot_id", "boot-1\n");
        Fake.Write("/proc/sys/kernel/printk", "8\t4\t1\t7\n");
        Fake.Write("/proc/meminfo", "MemTotal:        2000000 kB\nMemFree:         1500000 kB\n");
        Fake.Write("/proc/stat", "cpu 1 2 3\nbtime 1764000000\n");
        foreach (string name in new[] { "panic_on_oops", "softlockup_panic", "hung_task_panic", "unknown_nmi_panic" }) Fake.Write(Triggers.PathOf(name), "0\n");
        Fake.Write("/sys/kernel/kexec_crash_size", $"{160 << 20}\n");
        Fake.Write(Loaded, "0\n");
        Fake.MakeDirectory(NetConsoleTarget.Root);
        Configure($"NETDUMPADDR={Server}\nTRIGGERS=oops\n");
    }

    public FakeHost Fake { get; } = new();

    public HostFiles Files { get; }

    public RouteNetlink Netlink { get; }

    public int Index { get; }

    public string Release { get; }

    public int Loads { get; private set; }

    /// <summary>What the kernel says instead of loading.</summary>
    public ClientException? Refusal { get; set; }

    public ClientConfiguration Configuration => ClientConfiguration.Load(Files, null);

    /// <summary>Writes the configuration; dumps go by the classic protocol where it does not say how.</summary>
    public void Configure(string text) => Fake.Write("/etc/netdump.conf", text.Contains("TRANSPORT=", StringComparison.Ordinal) ? text : text + "TRANSPORT=classic\n");

    public void SetNextHop(string mac)
    {
        Assert.True(MacAddress.TryParse(mac, out MacAddress address));
        Netlink.SetNeighbour(Index, IPAddress.Parse(Server), address);
    }

    public ArmedState Arm(ArmingOptions? options = null) => Arm(Configuration, options);

    public ArmedState Arm(ClientConfiguration configuration, ArmingOptions? options = null) =>
        new Arming(Files, new Loader(this), TimeProvider.System, _ => { }).Start(ArmingPlan.Make(Files, configuration, options ?? new ArmingOptions(), _ => { }));

    public void Disarm() => new Arming(Files, new Loader(this), TimeProvider.System, _ => { }).Stop();

    public void Dispose() => Fake.Dispose();

    private sealed class Loader(ArmableHost host) : CrashKernelLoader(host.Files)
    {
        public override void Load(CrashKernel crash, SafeFileHandle image)
        {
            host.Loads++;
            if (host.Refusal is { } refusal) throw refusal;
            host.Fake.Write(Loaded, "1\n");
        }

        public override void Unload() => host.Fake.Write(Loaded, "0\n");
    }

    /// <summary>Files of configfs appear when they are written, as its directories bring them.</summary>
    private sealed class Kernel(string root) : HostFiles(root)
    {
        public override void Write(string path, string text) => File.WriteAllText(Map(path), text);

        public override void RemoveDirectory(string path) => Directory.Delete(Map(path), recursive: true);
    }
}
