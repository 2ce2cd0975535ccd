using Netdump.Client.Host;

namespace Netdump.Client.Image;

/// <summary>
/// The kernel modules and firmware of a capture image: everything the named modules need, read from the host's module tree and decompressed.
/// </summary>
public sealed class DriverSet
{
    private readonly Dictionary<string, byte[]> _bytes = [];

    private DriverSet()
    {
    }

    /// <summary>Modules in the order to load, dependencies first.</summary>
    public IReadOnlyList<ModuleFile> Modules { get; private set; } = [];

    /// <summary>Firmware files that exist on the host, by the name the driver asks for.</summary>
    public IReadOnlyList<ImageFile> Firmware { get; private set; } = [];

    /// <summary>Plain bytes of a module of <see cref="Modules"/>.</summary>
    public ReadOnlySpan<byte> Bytes(ModuleFile module) => _bytes[module.Name];

    /// <summary>Path of a module in the image.</summary>
    public static string PathOf(string release, ModuleFile module) => $"/lib/modules/{release}/{PackedFile.PlainName(module.File).TrimStart('/')}";

    /// <summary>Collects modules and firmware.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="tree">Modules of the running kernel.</param>
    /// <param name="release">Release of the running kernel; firmware may lie in a directory of that name.</param>
    /// <param name="names">Modules wanted.</param>
    /// <param name="missing">Told the name of each wanted module that is neither a file nor built in.</param>
    /// <exception cref="ClientException">A module's file is damaged.</exception>
    public static DriverSet Collect(HostFiles host, ModuleTree tree, string release, IReadOnlyCollection<string> names, Action<string> missing)
    {
        var set = new DriverSet();
        IReadOnlyList<ModuleFile> order = tree.Order(names, missing);
        while (order.Any(m => !set._bytes.ContainsKey(m.Name)))
        {
            foreach (ModuleFile module in order.Where(m => !set._bytes.ContainsKey(m.Name)))
            {
                byte[] bytes = set._bytes[module.Name] = PackedFile.Read(Path.Combine(tree.Directory, module.File));
                foreach (string soft in new ElfObject(bytes).ModuleInfo("softdep")) tree.AddSoftDependency(module.Name, soft);
            }
            order = tree.Order(names, _ => { });
        }
        set.Modules = order;
        set.Firmware = [.. order.SelectMany(m => new ElfObject(set._bytes[m.Name]).ModuleInfo("firmware")).Distinct()
            .Select(name => FindFirmware(host, release, name)).OfType<ImageFile>()];
        return set;
    }

    /// <summary>Looks where the kernel does (drivers/base/firmware_loader/main.c, fw_path). Many drivers name files of which one machine needs none.</summary>
    private static ImageFile? FindFirmware(HostFiles host, string release, string name)
    {
        if (name.Split('/').Contains("..")) return null;
        foreach (string directory in new[] { $"/lib/firmware/updates/{release}", "/lib/firmware/updates", $"/lib/firmware/{release}", "/lib/firmware" })
        {
            foreach (string ending in PackedFile.Endings)
            {
                string path = $"{directory}/{name}{ending}";
                if (File.Exists(host.Map(path))) return new ImageFile($"/lib/firmware/{name}", host.Map(path));
            }
        }
        return null;
    }
}
