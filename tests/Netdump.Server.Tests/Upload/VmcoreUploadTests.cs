using CsCheck;
using Netdump.Server.Receivers.Upload;
using Netdump.Server.Store;
using Netdump.Server.Tests.Storage;
using Netdump.Vmcore;
using Netdump.Vmcore.Filter;
using Netdump.Vmcore.Kdump;
using Netdump.Vmcore.Output;
using Netdump.Vmcore.Tests;

namespace Netdump.Server.Tests.Upload;

/// <summary>The file of an upload and its journal: what counts, and what another process finds.</summary>
public sealed class VmcoreUploadTests
{
    private static byte[] Bytes(int length, int seed = 1)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    [Fact]
    public void What_was_not_kept_is_forgotten_by_the_next_process()
    {
        using TemporaryCrash crash = new();
        byte[] bytes = Bytes(10_000);
        using (VmcoreUpload upload = VmcoreUpload.Open(crash.Directory, 0))
        {
            upload.Write(bytes.AsSpan(0, 4000));
            upload.Keep([]);
            upload.Write(bytes.AsSpan(4000, 2000));
            Assert.Equal((4000, 2000), (upload.Offset, upload.Unkept));
        }

        using VmcoreUpload later = VmcoreUpload.Open(crash.Directory, 0);
        Assert.Equal(4000, later.Offset);
        later.Write(bytes.AsSpan(4000));
        later.Keep(Bytes(32));
        Assert.Null(later.DigestOfBlocks()); // the first part had none
        Assert.Equal(10_000, later.Complete());
        Assert.Equal(bytes, crash.Read("vmcore"));
    }

    [Fact]
    public void What_is_written_ahead_overwrites_nothing_and_is_taken_back()
    {
        using TemporaryCrash crash = new();
        byte[] bytes = Bytes(10_000);
        using VmcoreUpload upload = VmcoreUpload.Open(crash.Directory, 0);
        upload.Write(bytes.AsSpan(0, 4000));
        upload.Keep([]);
        Assert.True(upload.TryWriteAhead(Bytes(3000, seed: 2)));
        Assert.Equal((4000, 3000), (upload.Offset, upload.Unkept));
        Assert.Equal(7000, crash.Read(VmcoreWriter.IncompleteName).Length);
        upload.Drop();
        Assert.Equal((4000, 0), (upload.Offset, upload.Unkept));
        Assert.Equal(bytes[..4000], crash.Read(VmcoreWriter.IncompleteName));
        Assert.True(upload.TryWriteAhead(bytes.AsSpan(4000)));
        upload.Keep(Bytes(32));
        upload.Complete();
        Assert.Equal(bytes, crash.Read("vmcore"));
    }

    [Fact]
    public void Records_that_go_back_are_not_written_ahead()
    {
        using TemporaryCrash crash = new();
        MemoryStream flat = new();
        using (FlattenedOutput output = new(flat, leaveOpen: true))
        {
            output.Write(0, Bytes(5000));
            output.Write(5000, Bytes(5000, seed: 2));
            output.Write(100, Bytes(200, seed: 3)); // as the header of a dump is written again at its end
            output.Finish();
        }

        byte[] stream = flat.ToArray();
        int back = stream.Length - 16 - 216; // its record and the end mark
        using VmcoreUpload upload = VmcoreUpload.Open(crash.Directory, 0);
        Assert.True(upload.TryWriteAhead(stream.AsSpan(0, back)));
        upload.Keep([]);
        byte[] before = crash.Read(VmcoreWriter.IncompleteName);
        Assert.False(upload.TryWriteAhead(stream.AsSpan(back)));
        Assert.Equal(0, upload.Unkept);
        Assert.Equal(before, crash.Read(VmcoreWriter.IncompleteName));
        upload.Write(stream.AsSpan(back));
        upload.Keep([]);
        Assert.True(upload.IsWhole);
        upload.Complete();
        byte[] expected = [.. Bytes(5000), .. Bytes(5000, seed: 2)];
        Bytes(200, seed: 3).CopyTo(expected, 100);
        Assert.Equal(expected, crash.Read("vmcore"));
    }

    [Fact]
    public void Bytes_that_do_not_count_are_in_no_hole_of_the_stream_that_comes_again()
    {
        using TemporaryCrash crash = new();
        using (VmcoreUpload upload = VmcoreUpload.Open(crash.Directory, 0))
            upload.Write(Bytes(6000)); // and is killed

        MemoryStream flat = new();
        using (FlattenedOutput output = new(flat, leaveOpen: true))
        {
            output.Write(0, Bytes(100));
            output.Write(9000, Bytes(100));
            output.Finish();
        }

        using VmcoreUpload later = VmcoreUpload.Open(crash.Directory, 0);
        Assert.True(later.TryWriteAhead(Bytes(8000, seed: 2)));
        later.Drop();
        Assert.True(later.TryWriteAhead(flat.ToArray()));
        later.Keep(Bytes(32));
        later.Complete();
        byte[] expected = [.. Bytes(100), .. new byte[8900], .. Bytes(100)];
        Assert.Equal(expected, crash.Read("vmcore"));
    }

    [Fact]
    public void A_torn_end_of_the_journal_is_cut_off()
    {
        using TemporaryCrash crash = new();
        long[] offsets = new long[6];
        using (VmcoreUpload upload = VmcoreUpload.Open(crash.Directory, 0))
            for (int i = 1; i < offsets.Length; i++)
            {
                upload.Write(Bytes(100 * i));
                upload.Keep(Bytes(32));
                offsets[i] = upload.Offset;
            }

        byte[] journal = crash.Read(UploadJournal.FileName);
        Assert.Equal(5 * UploadJournal.RecordLength, journal.Length);
        for (int length = journal.Length; length >= 0; length -= 7)
        {
            File.WriteAllBytes(crash.Directory.File(UploadJournal.FileName), journal.AsSpan(0, length));
            using VmcoreUpload upload = VmcoreUpload.Open(crash.Directory, 0);
            Assert.Equal(offsets[length / UploadJournal.RecordLength], upload.Offset);
        }

        // A flipped bit makes it, and all behind it, worth nothing.
        for (int at = 0; at < journal.Length; at += 11)
        {
            byte[] damaged = [.. journal];
            damaged[at] ^= 4;
            File.WriteAllBytes(crash.Directory.File(UploadJournal.FileName), damaged);
            using VmcoreUpload upload = VmcoreUpload.Open(crash.Directory, 0);
            Assert.Equal(offsets[at / UploadJournal.RecordLength], upload.Offset);
        }
    }

    [Fact]
    public void A_dump_that_is_arriving_opens_at_any_moment()
    {
        using TemporaryCrash crash = new();
        MemoryStream flat = new();
        using (VmcoreFile source = VmcoreFile.Open(SharedData.File("linux-6.1-sysrq", "vmcore.kdump-zlib-d31")))
        using (FlattenedOutput output = new(flat, leaveOpen: true))
            KdumpWriter.Write(source, new PageFilter(source, 0).Select, output, new WriteOptions { DumpLevel = 31, Threads = 1 });
        byte[] stream = flat.ToArray();
        using VmcoreUpload upload = VmcoreUpload.Open(crash.Directory, 0);
        Random random = new(5);
        int opened = 0;
        for (int at = 0; at < stream.Length;)
        {
            int portion = Math.Min(random.Next(1, stream.Length / 20), stream.Length - at);
            upload.Write(stream.AsSpan(at, portion));
            at += portion;
            if (at < 200_000)
                continue;
            using VmcoreFile dump = VmcoreFile.Open(crash.Directory.File(VmcoreWriter.IncompleteName));
            opened += dump.IsComplete ? 0 : 1;
        }

        Assert.InRange(opened, 5, 1000);
        upload.Keep([]);
        Assert.True(upload.IsWhole);
        upload.Complete();
        using VmcoreFile whole = VmcoreFile.Open(crash.Directory.File("vmcore"));
        Assert.True(whole.IsComplete);
    }

    [Fact]
    public void Fields_of_tus_are_read_or_refused_whatever_they_hold() => Gen.OneOf(Gen.String, Gen.String[Gen.Char["0123456789 =+/shab-"], 0, 60]).Sample(text =>
    {
        if (TusHeaders.TryReadNumber(text, out long number))
            Assert.Equal(System.Numerics.BigInteger.Parse(text), number);
        if (TusHeaders.TryReadChecksum(text, out ChecksumKind kind, out byte[] digest))
            Assert.Equal(kind == ChecksumKind.Sha1 ? 20 : 32, digest.Length);
    });

    [Theory]
    [InlineData("0", 0L)]
    [InlineData("4611686018427387904", 1L << 62)]
    [InlineData("4611686018427387905", null)]
    [InlineData("9223372036854775808", null)]
    [InlineData("18446744073709551617", null)]
    [InlineData("", null)]
    [InlineData("-1", null)]
    [InlineData("+1", null)]
    [InlineData(" 1", null)]
    [InlineData("1e3", null)]
    [InlineData("٣", null)]
    public void Numbers_are_digits(string text, long? number) => Assert.Equal(number, TusHeaders.TryReadNumber(text, out long read) ? read : null);

    [Fact]
    public async Task Memory_for_blocks_is_bounded_and_given_in_order()
    {
        BlockMemory memory = new(4 * BlockMemory.PieceLength);
        CancellationToken cancel = TestContext.Current.CancellationToken;
        BlockMemory.Lease first = await memory.RentAsync(3 * BlockMemory.PieceLength, cancel);
        ValueTask<BlockMemory.Lease> second = memory.RentAsync(4 * BlockMemory.PieceLength, cancel);
        ValueTask<BlockMemory.Lease> third = memory.RentAsync(1, cancel);
        Assert.False(second.IsCompleted || third.IsCompleted); // small ones do not pass by
        first.Dispose();
        first.Dispose();
        BlockMemory.Lease all = await second;
        for (int i = 0; i < 4; i++)
            all.Advance(all.Next.Length);
        Assert.True(all.Next.IsEmpty);
        Assert.Equal(4 * BlockMemory.PieceLength, all.Filled.Sum(part => part.Count));
        Assert.False(third.IsCompleted);
        all.Dispose();
        (await third).Dispose();

        using BlockMemory.Lease most = await memory.RentAsync(4 * BlockMemory.PieceLength, cancel);
        using CancellationTokenSource patience = new();
        ValueTask<BlockMemory.Lease> impatient = memory.RentAsync(2 * BlockMemory.PieceLength, patience.Token);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await impatient);
    }
}
