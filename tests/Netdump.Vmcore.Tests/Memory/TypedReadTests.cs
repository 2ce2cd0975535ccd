using System.Buffers.Binary;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Tests.Memory;

public class TypedReadTests
{
    private const ulong Base = 0xffff888000000000;
    private readonly SyntheticKernel _kernel = new();

    public TypedReadTests()
    {
        for (var page = 0UL; page < 16; page++)
            _kernel.Map(Base + (page << 12), 0x20000 + (page << 12));
    }

    [Fact]
    public void Integers_are_little_endian_and_may_cross_pages()
    {
        var bytes = new byte[] { 1, 2, 3, 4, 5, 6, 7, 0xff };
        bytes.CopyTo(_kernel.Memory, 0x20ffc);
        var memory = _kernel.Open();
        Assert.True(memory.TryReadUInt64(Base + 0xffc, out var eight));
        Assert.Equal(0xff07060504030201, eight);
        Assert.True(memory.TryReadUInt32(Base + 0xffe, out var four));
        Assert.Equal(0x06050403u, four);
        Assert.True(memory.TryReadInt32(Base + 0x1000, out var signed));
        Assert.Equal(unchecked((int)0xff070605), signed);
        Assert.True(memory.TryReadUInt16(Base + 0xfff, out var two));
        Assert.Equal(0x0504, two);
        Assert.True(memory.TryReadByte(Base + 0xffc, out var one));
        Assert.Equal(1, one);
    }

    [Fact]
    public void Item39_why_memory_does_not_read_is_told_with_both_addresses()
    {
        _kernel.Map(Base + 0x10000, 0xfff0000); // beyond memory
        var memory = _kernel.Open();
        var bytes = new byte[0x2000];
        Assert.False(memory.TryRead(Base + 0xf000, bytes, out var fault));
        Assert.Equal(new MemoryFault(Base + 0x10000, TranslationResult.Mapped, 0xfff0000), fault);
        Assert.Contains("0xfff0000", fault.ToString(), StringComparison.Ordinal);
        Assert.False(memory.TryRead(Base + 0x11000, bytes, out fault));
        Assert.Equal(TranslationResult.NotPresent, fault.Translation);
        Assert.False(memory.TryRead(0x0000_8000_0000_0000, bytes, out fault));
        Assert.Equal(TranslationResult.NotCanonical, fault.Translation);
        Assert.False(memory.TryRead(0xffff_ffff_ffff_fff0, bytes, out fault));
        Assert.False(memory.TryReadUInt64(Base + 0x10000, out var nothing));
        Assert.Equal(0UL, nothing);
    }

    [Fact]
    public void Text_ends_at_its_NUL_or_where_the_caller_says()
    {
        "kworker/0:1\0after"u8.CopyTo(_kernel.Memory.AsSpan(0x20100));
        var memory = _kernel.Open();
        Assert.True(memory.TryReadText(Base + 0x100, 16, out var text));
        Assert.Equal("kworker/0:1"u8, text);
        Assert.True(memory.TryReadText(Base + 0x100, 4, out text));
        Assert.Equal("kwor"u8, text);
        "end"u8.CopyTo(_kernel.Memory.AsSpan(0x2fffd)); // and then nothing is mapped
        Assert.False(memory.TryReadText(Base + 0xfffd, 16, out text));
        Assert.Equal("end"u8, text);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(40)]
    public void A_whole_list_ends_at_its_head(int entries)
    {
        Link(Enumerable.Range(1, entries).Append(0));
        var walk = _kernel.Open().WalkList(Base, 100);
        for (var i = 1; i <= entries; i++)
        {
            Assert.True(walk.MoveNext());
            Assert.Equal(Base + (ulong)i * 16, walk.Current);
        }
        Assert.False(walk.MoveNext());
        Assert.Equal(ListEnd.Head, walk.End);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(10, 3)]
    [InlineData(60, 60)]
    public void Item63_a_cycle_without_the_head_is_seen(int entries, int back)
    {
        Link(Enumerable.Range(1, entries).Append(back));
        var walk = _kernel.Open().WalkList(Base, int.MaxValue);
        var steps = 0;
        while (walk.MoveNext())
            Assert.True(steps++ < 4 * entries + 4);
        Assert.Equal(ListEnd.Cycle, walk.End);
        Assert.True(steps >= entries);
    }

    [Fact]
    public void A_list_that_leaves_memory_or_the_bound_says_so()
    {
        Link(Enumerable.Range(1, 20).Append(0));
        var walk = _kernel.Open().WalkList(Base, 19);
        while (walk.MoveNext()) { }
        Assert.Equal(ListEnd.TooLong, walk.End);

        Put(20, 0xdead000000000100);
        walk = _kernel.Open().WalkList(Base, 100);
        while (walk.MoveNext()) { }
        Assert.Equal(ListEnd.Unreadable, walk.End);
    }

    private void Link(IEnumerable<int> order)
    {
        var at = 0;
        foreach (var next in order)
        {
            Put(at, Base + (ulong)next * 16);
            at = next;
        }
    }

    private void Put(int entry, ulong next) => BinaryPrimitives.WriteUInt64LittleEndian(_kernel.Memory.AsSpan(0x20000 + entry * 16), next);
}
