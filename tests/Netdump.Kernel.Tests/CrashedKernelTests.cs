namespace Netdump.Kernel.Tests;

public class CrashedKernelTests
{
    public static TheoryData<string> Dumps => [Crashes.Linux61FourLevel, Crashes.Linux61, Crashes.Linux73, Crashes.Arm64];

    [Theory]
    [MemberData(nameof(Dumps))]
    public void A_real_dump_opens(string path)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        Assert.Contains(kernel.Info.Release!, kernel.Info.Values["OSRELEASE"], StringComparison.Ordinal);
        Assert.Empty(kernel.Gaps.All);
    }
}
