using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Tests.Memory;

/// <summary>Tables that stay where they are: only what lies in the file in one piece can be mapped, and only where mapping was asked for.</summary>
public sealed class MappedMemoryTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();
    private readonly byte[] _first = new byte[0x3000];

    public MappedMemoryTests()
    {
        new Random(5).NextBytes(_first);
        SyntheticCore core = new();
        core.AddMemory(0x10000, _first);
        core.AddMemory(0x13000, new byte[0x1000]); // the file has something else between them
        core.AddMemory(0x14000, new byte[0x1000], 0x3000);
        File.WriteAllBytes(_path, core.Build());
    }

    [Theory]
    [InlineData(0x10000, 0x3000)]
    [InlineData(0x10ffd, 7)]
    [InlineData(0x12fff, 1)]
    public void A_piece_in_one_piece_is_mapped_and_has_the_same_bytes(ulong address, int length)
    {
        using var file = VmcoreFile.OpenMapped(_path);
        var view = file.Physical.Map(address, length);
        Assert.NotNull(view);
        Assert.True(view.IsMapped);
        Assert.Equal(length, view.Length);
        Assert.True(view.Span.SequenceEqual(_first.AsSpan((int)(address - 0x10000), length)));
    }

    [Theory]
    [InlineData(0x10000, 0x6000)] // pages of the last segment are not in the file
    [InlineData(0x15000, 1)]
    [InlineData(0x20000, 1)]
    [InlineData(0x10000, 0)]
    [InlineData(ulong.MaxValue, 2)]
    public void Anything_else_is_not(ulong address, int length)
    {
        using var file = VmcoreFile.OpenMapped(_path);
        Assert.Null(file.Physical.Map(address, length));
    }

    [Fact]
    public void Nothing_of_a_file_that_may_be_cut_short_meanwhile_is_mapped()
    {
        using var file = VmcoreFile.Open(_path);
        Assert.Null(file.Physical.Map(0x10000, 0x1000));
    }

    [Fact]
    public void A_copy_is_its_own()
    {
        byte[] bytes = [1, 2, 3];
        var view = MemoryView.Of(bytes);
        bytes[0] = 9;
        Assert.Equal([1, 2, 3], view.Span.ToArray());
        Assert.False(view.IsMapped);
        Assert.Equal(0, MemoryView.Of([]).Span.Length);
    }

    public void Dispose() => File.Delete(_path);
}
