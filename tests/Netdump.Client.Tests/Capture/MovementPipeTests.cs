using Microsoft.Win32.SafeHandles;
using Netdump.Client.Capture;
using Netdump.Client.Linux;

namespace Netdump.Client.Tests.Capture;

public sealed class MovementPipeTests
{
    [Fact]
    public void The_newest_total_arrives_and_the_end_of_the_child_is_seen()
    {
        (SafeFileHandle read, SafeFileHandle write) = Descriptors.PipeForChild();
        using MovementReader reader = new(read);
        MovementWriter writer = new(write);
        Assert.True(reader.TryRead(out ulong total));
        Assert.Equal(0ul, total);
        writer.Add(1000, TimeSpan.FromSeconds(1));
        writer.Add(1, TimeSpan.FromSeconds(1.1)); // too soon: told with the next
        writer.Add(0, TimeSpan.FromSeconds(9)); // alive, but nothing moved: not told
        Assert.True(reader.TryRead(out total));
        Assert.Equal(1000ul, total);
        writer.Add(1, TimeSpan.FromSeconds(10));
        writer.Add(1, TimeSpan.FromSeconds(11));
        Assert.True(Descriptors.WaitReadable(read, TimeSpan.Zero));
        Assert.True(reader.TryRead(out total));
        Assert.Equal(1003ul, total);
        Assert.False(Descriptors.WaitReadable(read, TimeSpan.Zero));
        write.Dispose();
        Assert.False(reader.TryRead(out _));
    }

    [Fact]
    public void A_full_pipe_blocks_nobody_and_many_numbers_are_read_at_once()
    {
        (SafeFileHandle read, SafeFileHandle write) = Descriptors.PipeForChild();
        using MovementReader reader = new(read);
        using (write)
        {
            MovementWriter writer = new(write);
            for (int i = 1; i <= 20_000; i++) writer.Add(1, TimeSpan.FromSeconds(i));
            Assert.True(reader.TryRead(out ulong total));
            Assert.InRange(total, 1000ul, 20_000ul);
            writer.Add(1, TimeSpan.FromSeconds(30_000));
            Assert.True(reader.TryRead(out total));
            Assert.Equal(20_001ul, total);
        }
    }
}
