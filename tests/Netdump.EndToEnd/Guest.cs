namespace Netdump.EndToEnd;

/// <summary>A real kernel in QEMU: armed by `netdump start`, crashed on purpose, gone when its capture kernel reboots.</summary>
public sealed class Guest : IDisposable
{
    /// <summary>The module that crashes it, in its scratch folder.</summary>
    public const string ModuleName = "netdump_lab.ko";

    // Emulated kernels now and then hang before their init runs (7.3 while it sets up its clocks): that says nothing of us, and is tried again.
    private const int Boots = 3;
    private static readonly TimeSpan BootLimit = TimeSpan.FromSeconds(90);

    private readonly Command _command;

    public Guest(TestKernel kernel, string scratch, IEnumerable<string> configuration, string crash,
        int memoryMiB = 512, string crashkernel = "128M", bool withModule = false, string nic = "virtio-net-pci", string more = "", string qemu = "", string network = "", params string[] programs)
    {
        string image = Path.Combine(scratch, "guest.cpio.gz"), conf = Path.Combine(scratch, "netdump.conf");
        // All of memory unless a test asks for less: most compare with /proc/vmcore.
        File.WriteAllLines(conf, configuration.Any(line => line.StartsWith("DUMPLEVEL=", StringComparison.Ordinal)) ? configuration : [.. configuration, "DUMPLEVEL=0"]);
        List<string> arguments = [kernel.Release, Workspace.Client, conf, image];
        if (withModule)
        {
            string module = Path.Combine(scratch, ModuleName);
            Command.Succeed(Tool("build-module"), kernel.Release, module);
            arguments.Add(module);
        }
        Command.Succeed(Tool("make-image"), [.. arguments, .. programs]);
        for (int boot = 1; ; boot++)
        {
            _command = new Command(Tool("boot"),
                [kernel.Release, image, $"{memoryMiB}", crashkernel, $"lab_crash={crash}", .. more.Split(' ', StringSplitOptions.RemoveEmptyEntries)],
                environment: new Dictionary<string, string> { ["NIC"] = nic, ["NETWORK"] = network, ["QEMU_EXTRA"] = qemu });
            if (boot == Boots || _command.Prints("Run /init as init process|^guest: ", BootLimit)) return;
            TestContext.Current.TestOutputHelper?.WriteLine($"{kernel.Release} hung before its init, boot {boot}:\n{Console}");
            _command.Dispose();
        }
    }

    /// <summary>What the serial line showed, both kernels.</summary>
    public string Console => _command.Output;

    public string WaitForLine(string pattern, TimeSpan limit) => _command.WaitForLine(pattern, limit);

    /// <summary>QEMU runs with -no-reboot: its end is the guest's reboot (or power-off).</summary>
    public void WaitForReboot(TimeSpan limit) => Assert.Equal(0, _command.WaitForExit(limit));

    public void Dispose() => _command.Dispose();

    private static string Tool(string name) => Path.Combine(Workspace.Root, "tests/guest", name);
}
