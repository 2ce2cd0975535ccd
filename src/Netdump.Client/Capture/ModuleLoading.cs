using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Capture;

/// <summary>Loads the image's kernel modules and binds PHY drivers.</summary>
public static class ModuleLoading
{
    private const string Mdio = "/sys/bus/mdio_bus";
    private static readonly TimeSpan PhyLimit = TimeSpan.FromSeconds(5);

    /// <summary>Loads the modules in the manifest's order. One that cannot be loaded is told and skipped: it may not be needed.</summary>
    /// <returns>How many are loaded.</returns>
    public static int Load(IReadOnlyList<CaptureModule> modules, Action<string> say) => Load(modules, KernelModules.Load, say);

    /// <summary>The same with another way to load one module from its path and options.</summary>
    public static int Load(IReadOnlyList<CaptureModule> modules, Action<string, string> load, Action<string> say)
    {
        int loaded = 0;
        foreach (CaptureModule module in modules)
        {
            try
            {
                load(module.Path, module.Options);
                loaded++;
            }
            catch (LinuxException there) when (there.Error == Errno.Exists)
            {
                loaded++; // by an earlier child, or the kernel itself
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                say(failure.Message);
            }
        }
        return loaded;
    }

    /// <summary>Binds each PHY to the driver it had on the host, unless it has it.</summary>
    public static void Bind(IReadOnlyList<PhyBinding> bindings, Action<string> say)
    {
        foreach (PhyBinding binding in bindings)
        {
            try
            {
                Bind(binding);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                say($"bind PHY {binding.Device} to {binding.Driver}: {failure.Message}");
            }
        }
    }

    private static void Bind(PhyBinding binding)
    {
        string device = $"{Mdio}/devices/{binding.Device}";
        TimeSpan end = Uptime.Now + PhyLimit;
        while (!Directory.Exists(device) && Uptime.Now < end) Descriptors.Pause(TimeSpan.FromMilliseconds(50));
        string? driver = File.Exists($"{device}/driver") || Directory.Exists($"{device}/driver")
            ? Path.GetFileName(Directory.ResolveLinkTarget($"{device}/driver", returnFinalTarget: false)?.FullName)
            : null;
        if (driver == binding.Driver) return;
        if (driver is not null) File.WriteAllText($"{device}/driver/unbind", binding.Device);
        File.WriteAllText($"{Mdio}/drivers/{binding.Driver}/bind", binding.Device);
    }
}
