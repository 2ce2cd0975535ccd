using Netdump.Client.Linux;

namespace Netdump.Client.Tests.Linux;

public sealed class SizeLinesTests
{
    [Theory]
    [InlineData("MemTotal:          76948 kB", 76948L << 10)]
    [InlineData("MemTotal:\t 1 kB", 1024L)]
    [InlineData("MemTotal: 9223372036854775807 kB", null)]
    [InlineData("MemTotal: -1 kB", null)]
    [InlineData("MemTotal: 7", null)]
    [InlineData("MemTotalEver: 7 kB", null)]
    [InlineData("MemTotal", null)]
    public void An_amount_is_found_by_its_whole_name(string line, long? bytes) => Assert.Equal(bytes, SizeLines.Find(["MemFree: 5 kB", line], "MemTotal"));

    [Fact]
    public void It_reads_what_this_kernel_says() => Assert.InRange(SizeLines.Find(File.ReadLines("/proc/self/status"), "VmHWM")!.Value, 1 << 20, 1L << 40);
}
