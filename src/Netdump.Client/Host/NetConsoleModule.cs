using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>Makes the kernel's dynamic netconsole available on the running host, also where there is no modprobe.</summary>
public static class NetConsoleModule
{
    private const string ConfigFs = "/sys/kernel/config";

    /// <summary>Loads netconsole and mounts configfs where that was not done.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="tree">Modules of the running kernel.</param>
    /// <exception cref="ClientException">The kernel has no netconsole that can be configured while it runs.</exception>
    public static void Prepare(HostFiles host, ModuleTree tree)
    {
        if (host.Exists(NetConsoleTarget.Root)) return;
        try
        {
            foreach (ModuleFile module in tree.Order(["configfs", "netconsole"], _ => { }))
                if (!host.Exists($"/sys/module/{module.Name}")) Load(Path.Combine(tree.Directory, module.File));
            if (!host.Exists(NetConsoleTarget.Root)) Mounts.Mount("configfs", ConfigFs, "configfs");
        }
        catch (LinuxException e)
        {
            throw new ClientException($"netconsole: {e.Message}", "see dmesg, or set NETLOGADDR=NONE", e);
        }
        if (!host.Exists(NetConsoleTarget.Root))
            throw new ClientException("this kernel has no netconsole with dynamic targets (CONFIG_NETCONSOLE_DYNAMIC)", "set NETLOGADDR=NONE");
    }

    private static void Load(string path)
    {
        try
        {
            if (PackedFile.PlainName(path) == path)
            {
                KernelModules.Load(path);
                return;
            }
            var writable = MemoryFile.Create(Path.GetFileName(path));
            RandomAccess.Write(writable, PackedFile.Read(path), 0);
            using var module = MemoryFile.Seal(writable);
            KernelModules.Load($"/proc/self/fd/{module.DangerousGetHandle()}");
        }
        catch (LinuxException e) when (e.Error == Errno.Exists)
        {
            // loaded meanwhile by somebody else
        }
    }
}
