using Netdump.Client.Capture;

namespace Netdump.Client.Tests.Capture;

public sealed class LadderTests
{
    [Theory]
    [InlineData("MemTotal:          76948 kB", 2 << 20)] // crashkernel=128M
    [InlineData("MemTotal:          20000 kB", 1 << 20)]
    [InlineData("MemTotal:         150000 kB", 4 << 20)]
    [InlineData("MemTotal:        8000000 kB", 8 << 20)]
    [InlineData("nonsense", 1 << 20)]
    public void A_block_is_a_small_part_of_the_capture_kernels_memory(string line, int size) => Assert.Equal(size, Ladder.BlockSize(["MemFree: 1 kB", line]));
}
