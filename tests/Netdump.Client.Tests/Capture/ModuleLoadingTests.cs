using Netdump.Client.Capture;
using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Tests.Capture;

public sealed class ModuleLoadingTests
{
    [Fact]
    public void Modules_are_loaded_in_the_manifests_order_with_their_options_and_a_bad_one_is_told_and_skipped()
    {
        CaptureModule[] modules = [new("b", "/b.ko", ""), new("a", "/a.ko", "x=1 y=2"), new("lost", "/lost.ko", ""), new("there", "/there.ko", ""), new("c", "/c.ko", "")];
        List<string> calls = [], said = [];
        int loaded = ModuleLoading.Load(modules, Load, said.Add);
        Assert.Equal(["/b.ko|", "/a.ko|x=1 y=2", "/lost.ko|", "/there.ko|", "/c.ko|"], calls);
        Assert.Equal(4, loaded);
        Assert.Equal(["load module lost.ko: Exec format error"], said);

        void Load(string path, string options)
        {
            calls.Add($"{path}|{options}");
            if (path == "/lost.ko") throw new LinuxException("load module lost.ko", Errno.NotExecutable);
            if (path == "/there.ko") throw new LinuxException("load module there.ko", Errno.Exists);
        }
    }

    [Fact]
    public void A_module_that_is_not_in_the_image_is_one_line()
    {
        List<string> said = [];
        Assert.Equal(0, ModuleLoading.Load([new CaptureModule("none", "/nowhere/none.ko", "")], said.Add));
        Assert.Equal(["open /nowhere/none.ko: No such file or directory"], said);
    }

    [Fact]
    public void The_kernel_refuses_a_file_that_is_no_module()
    {
        LinuxException refusal = Assert.Throws<LinuxException>(() => KernelModules.Load(typeof(ModuleLoadingTests).Assembly.Location));
        Assert.StartsWith("load module Netdump.Client.Tests.dll: ", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_phy_that_never_appears_is_told_and_does_not_stop_the_rest()
    {
        List<string> said = [];
        ModuleLoading.Bind([new PhyBinding("0000:02:00.0:00", "Marvell 88E1510")], said.Add);
        Assert.StartsWith("bind PHY 0000:02:00.0:00 to Marvell 88E1510: ", Assert.Single(said), StringComparison.Ordinal);
    }
}
