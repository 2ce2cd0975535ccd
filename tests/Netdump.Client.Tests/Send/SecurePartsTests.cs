using System.Security.Cryptography;
using CsCheck;
using Netdump.Client.Send;
using Netdump.Client.Send.Secure;

namespace Netdump.Client.Tests.Send;

public class SecurePartsTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void PausesGrowAndEndWithPatience()
    {
        Patience patience = new(reachLimit: 5 * Second, silenceLimit: 60 * Second);
        Assert.Equal([0.25, 0.5, 1, 2, 1.25, null], Tries(patience)); // the last comes when the time is up
        Assert.False(patience.HasReached);
        patience.Succeeded();
        double?[] tries = Tries(patience);
        Assert.Equal(10, tries.Max());
        Assert.Equal(60, tries.Sum());
    }

    [Fact]
    public void AServersWishIsHeardAndOneLongTryIsNotTheEnd()
    {
        Patience patience = new(5 * Second, 60 * Second);
        patience.Succeeded();
        Assert.Equal(30 * Second, patience.Failed(Second, 30 * Second));
        // A try that took longer than all of the time: two more follow.
        Assert.NotNull(patience.Failed(100 * Second, null));
        Assert.Null(patience.Failed(101 * Second, null));
        patience.Succeeded();
        Assert.Equal(TimeSpan.FromSeconds(0.25), patience.Failed(200 * Second, null));
    }

    [Fact]
    public async Task WhateverIsWrittenComesOutInBlocksOnceAndInOrder()
    {
        await Gen.Select(Gen.Byte.Array[0, 300].Array[0, 20], Gen.Int[1, 64], Gen.Int[0, 400]).SampleAsync(async (pieces, size, had) =>
        {
            byte[] all = [.. pieces.SelectMany(p => p)];
            had = Math.Min(had, all.Length);
            using BlockStream stream = new([new(size), new(size)], had, () => { }, TimeSpan.FromMilliseconds(1));
            MemoryStream sent = new();
            using IncrementalHash digests = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            Task taken = Task.Run(async () =>
            {
                await foreach (UploadBlock block in stream.TakeAsync(CancellationToken.None))
                {
                    Assert.Equal(had + sent.Length, block.Offset);
                    Assert.Equal(SHA256.HashData(block.Bytes.Span), block.Digest);
                    sent.Write(block.Bytes.Span);
                    stream.Return(block);
                }
            });
            foreach (byte[] piece in pieces) stream.Write(piece);
            (long Blocks, byte[] Digest)? sums = stream.Complete();
            await taken;
            Assert.Equal(all.Length, stream.Length);
            Assert.Equal(all[had..], sent.ToArray());
            // The digest is over all blocks, also those that were there; it is not known when they were cut otherwise.
            Assert.Equal(had % size == 0 || had == all.Length, sums is not null);
            if (sums is not { } known) return;
            foreach (byte[] block in all.Chunk(size)) digests.AppendData(SHA256.HashData(block));
            Assert.Equal(((all.Length + size - 1) / size, Convert.ToHexString(digests.GetHashAndReset())), (known.Blocks, Convert.ToHexString(known.Digest)));
        }, iter: 200);
    }

    [Fact]
    public void AWriterWaitsWhileAllBlocksAreOnTheirWay()
    {
        int waits = 0;
        using BlockStream stream = new([new(16), new(16)], 0, () =>
        {
            if (++waits == 3) throw new OperationCanceledException();
        }, TimeSpan.FromMilliseconds(1));
        stream.Write(new byte[32]);
        Assert.Equal(0, waits);
        Assert.Throws<OperationCanceledException>(() => stream.Write(new byte[1]));
        Assert.Equal(3, waits);
    }

    [Fact]
    public void WhatIsSentAgainWasCountedBefore()
    {
        UploadMeter meter = new(pageSize: 4096) { Total = 100 };
        UploadBlock block = new(1000);
        block.Begin(0);
        block.Advance(1000);
        block.Seal(pages: 50);
        meter.Sending(block);
        block.Sent = 800;
        Assert.Equal(40UL, meter.PagesSent);
        block.Sent = 0; // the connection broke
        Assert.Equal(40UL, meter.PagesSent);
        block.Sent = 900;
        Assert.Equal(45UL, meter.PagesSent);
        meter.Stored(50);
        SendProgress progress = meter.Progress(SendStage.Sending, new SendTarget("x", new(System.Net.IPAddress.Loopback, 1)), SendOutcome.None);
        Assert.Equal((50UL, 100UL, 50 * 4096UL), (progress.PagesSent, progress.PagesTotal, progress.BytesSent));
    }

    private static double?[] Tries(Patience patience)
    {
        List<double?> tries = [];
        TimeSpan now = 1000 * Second;
        while (true)
        {
            TimeSpan? pause = patience.Failed(now, null);
            tries.Add(pause?.TotalSeconds);
            if (pause is null) return [.. tries];
            now += pause.Value;
        }
    }
}
