using System.Buffers;
using System.Security.Cryptography;
using Netdump.Server.Receivers.Upload;

namespace Netdump.Server.Tests.Upload;

public sealed class BodyMemoryTests
{
    [Fact]
    public void Memory_that_came_back_is_used_again_and_none_is_lent_twice()
    {
        using BodyMemory memory = new();
        IMemoryOwner<byte> first = memory.Rent(), second = memory.Rent(memory.MaxBufferSize);
        Assert.NotSame(first, second);
        Assert.Equal(memory.MaxBufferSize, first.Memory.Length);
        second.Dispose();
        Assert.Same(second, memory.Rent(1));
        Assert.NotSame(first, memory.Rent());
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Rent(memory.MaxBufferSize + 1));
    }

    [Fact]
    public void Only_so_much_is_kept_for_another_time()
    {
        using BodyMemory memory = new();
        IMemoryOwner<byte>[] burst = [.. Enumerable.Range(0, 1000).Select(_ => memory.Rent())];
        foreach (IMemoryOwner<byte> one in burst)
            one.Dispose();
        HashSet<IMemoryOwner<byte>> known = [.. burst];
        Assert.Equal(256, Enumerable.Range(0, 1000).Count(_ => known.Contains(memory.Rent())));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(20)]
    public async Task A_digest_of_pieces_is_that_of_the_whole(int pieces)
    {
        byte[] all = RandomNumberGenerator.GetBytes(pieces * 1000);
        List<byte> seen = [];
        await using PieceDigest digest = new(IncrementalHash.CreateHash(HashAlgorithmName.SHA256), async piece =>
        {
            await Task.Yield();
            seen.AddRange(piece);
        });
        for (int i = 0; i < pieces; i++)
            digest.Add(new ArraySegment<byte>(all, i * 1000, 1000));
        Assert.Equal(SHA256.HashData(all), await digest.CompleteAsync());
        Assert.Equal(all, seen);
    }
}
