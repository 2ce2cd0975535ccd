using Netdump.Client.Image;

namespace Netdump.Client.Tests.Image;

public sealed class ModuleTreeTests : IDisposable
{
    private readonly string _directory = System.IO.Directory.CreateTempSubdirectory("netdump-modules-").FullName;

    private ModuleTree Tree(string dependencies, string soft = "", string aliases = "", string builtIn = "")
    {
        File.WriteAllText(Path.Combine(_directory, "modules.dep"), dependencies);
        File.WriteAllText(Path.Combine(_directory, "modules.softdep"), soft);
        File.WriteAllText(Path.Combine(_directory, "modules.alias"), aliases);
        File.WriteAllText(Path.Combine(_directory, "modules.builtin"), builtIn);
        return new ModuleTree(_directory);
    }

    private static IEnumerable<string> Names(ModuleTree tree, params string[] wanted) => tree.Order(wanted, name => Assert.Fail($"missing {name}")).Select(m => m.Name);

    [Fact]
    public void Dependencies_come_first_each_once()
    {
        ModuleTree tree = Tree("kernel/net/virtio_net.ko.xz: kernel/net/net_failover.ko.xz kernel/net/failover.ko.xz kernel/v/virtio.ko.xz\n" +
            "kernel/net/net_failover.ko.xz: kernel/net/failover.ko.xz\nkernel/net/failover.ko.xz:\nkernel/v/virtio.ko.xz:\n" +
            "kernel/v/virtio-pci.ko.xz: kernel/v/virtio.ko.xz\n");
        Assert.Equal(["virtio", "virtio_pci", "failover", "net_failover", "virtio_net"], Names(tree, "virtio-pci", "virtio_net"));
        Assert.Equal("kernel/v/virtio-pci.ko.xz", tree.Order(["virtio_pci"], Assert.Fail)[1].File);
    }

    [Fact]
    public void Soft_dependencies_come_before_and_after_and_may_be_absent()
    {
        ModuleTree tree = Tree("a.ko:\nb.ko:\nc.ko:\n", "# comment\nsoftdep a pre: b nowhere post: c\n");
        Assert.Equal(["b", "a", "c"], Names(tree, "a"));
    }

    [Fact]
    public void A_soft_dependency_of_the_module_itself_counts()
    {
        ModuleTree tree = Tree("a.ko:\nb.ko:\n");
        tree.AddSoftDependency("a", "pre: b");
        Assert.Equal(["b", "a"], Names(tree, "a"));
    }

    [Fact]
    public void An_alias_stands_for_its_modules_and_patterns_do_not()
    {
        ModuleTree tree = Tree("a.ko:\ncrc32c_intel.ko:\ncrc32c_generic.ko:\nx.ko:\n", "softdep a pre: crypto-crc32c\n",
            "alias crypto-crc32c crc32c_intel\nalias crypto-crc32c crc32c_generic\nalias pci:v*d* x\n");
        Assert.Equal(["crc32c_intel", "crc32c_generic", "a"], Names(tree, "a"));
    }

    [Fact]
    public void What_is_built_in_is_left_out()
    {
        ModuleTree tree = Tree("a.ko: kernel/b.ko\n", builtIn: "kernel/b.ko\nkernel/drivers/virtio-pci.ko\n");
        Assert.Equal(["a"], Names(tree, "virtio_pci", "a", "b"));
        Assert.True(tree.IsBuiltIn("virtio-pci"));
    }

    [Fact]
    public void A_circle_ends() => Assert.Equal(2, Names(Tree("a.ko: b.ko\nb.ko: a.ko\n", "softdep a post: a b\n"), "a").Count());

    [Fact]
    public void What_is_missing_is_told()
    {
        var missing = new List<string>();
        Assert.Equal(["a"], Tree("a.ko: gone.ko\n").Order(["a", "nowhere"], missing.Add).Select(m => m.Name));
        Assert.Equal(["gone", "nowhere"], missing);
    }

    [Fact]
    public void A_directory_without_modules_dep_is_refused_with_advice() =>
        Assert.Contains("run depmod", Assert.Throws<ClientException>(() => new ModuleTree(_directory + "/none")).Message);

    public void Dispose() => System.IO.Directory.Delete(_directory, recursive: true);
}
