using Netdump.Client.Host;
using Netdump.Client.Image;

namespace Netdump.Client.Tests.Host;

public sealed class WatchdogCheckTests : IDisposable
{
    private const string Class = "/sys/class/watchdog/watchdog0";

    private readonly FakeHost _host = new();

    private Check Look(params string[] drivers) => Assert.Single(WatchdogCheck.Examine(_host.Files, drivers, Tree()));

    private ModuleTree Tree()
    {
        _host.Write("/modules/modules.dep", "kernel/drivers/watchdog/it87_wdt.ko:\nkernel/drivers/net/e1000.ko:\n");
        return new ModuleTree(_host.Root + "/modules");
    }

    private void Add(string identity, string state)
    {
        _host.Write($"{Class}/identity", identity + "\n");
        _host.Write($"{Class}/state", state + "\n");
        _host.Write($"{Class}/timeout", "60\n");
    }

    [Fact]
    public void None_or_one_at_rest_or_one_of_software_is_no_danger()
    {
        Assert.Equal("none is running", Look().Fact);
        Add("IT87 WDT", "inactive");
        Assert.Equal("none is running", Look().Fact);
        Add("Software Watchdog", "active");
        Assert.Equal("none is running", Look().Fact);
    }

    [Fact]
    public void One_whose_driver_nobody_tells_is_a_danger_until_a_watchdogs_driver_is_in_the_image()
    {
        Add("IT87 WDT", "active");
        Assert.Equal(("watchdog", CheckLevel.Warn), (Look("e1000").Code, Look("e1000").Level));
        Assert.Contains("EXTRA_MODULES", Look("e1000").Advice);
        Assert.Equal((CheckLevel.Ok, "IT87 WDT 60 s, driver in the image"), (Look("e1000", "it87_wdt").Level, Look("e1000", "it87_wdt").Fact));
    }

    [Fact]
    public void One_that_is_built_in_comes_with_the_kernel()
    {
        const string Device = "/sys/devices/platform/wdt.0";
        _host.AddDriver(Device, "platform", "wdt", module: null);
        _host.Link($"{Class}/device", "../../../devices/platform/wdt.0");
        Add("Board watchdog", "active");
        Assert.Equal((CheckLevel.Ok, "Board watchdog 60 s, driver built in"), (Look().Level, Look().Fact));
        _host.MakeDirectory("/sys/module/board_wdt");
        _host.Link("/sys/bus/platform/drivers/wdt/module", "../../../../module/board_wdt");
        Assert.Equal((CheckLevel.Ok, "Board watchdog 60 s, driver in the image"), (Look("board_wdt").Level, Look("board_wdt").Fact));
    }

    public void Dispose() => _host.Dispose();
}
