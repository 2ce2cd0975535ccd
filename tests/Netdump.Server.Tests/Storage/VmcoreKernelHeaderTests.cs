using System.Buffers.Binary;
using CsCheck;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Storage;

public sealed class VmcoreKernelHeaderTests
{
    [Fact]
    public void Pages_in_any_order_and_twice_give_the_file_byte_for_byte() =>
        Gen.Int.Sample(seed =>
        {
            var random = new Random(seed);
            KernelCore core = KernelCore.Typical(random);
            using var crash = new TemporaryCrash();
            (VmcoreLayout? layout, string? reason) = VmcoreKernelHeader.Create(core.Header(), KernelCore.PageSize, core.PageCount);
            Assert.Null(reason);
            using VmcoreWriter writer = VmcoreWriter.Create(crash.Directory, layout!);
            ulong[] order = [.. core.Pages.Keys, .. core.Pages.Keys.Where(_ => random.Next(3) == 0)];
            random.Shuffle(order);
            foreach (ulong pfn in order)
                writer.WritePage(pfn, core.Pages[pfn]);
            for (ulong pfn = 0; pfn < core.PageCount; pfn++)
            {
                if (!core.Pages.ContainsKey(pfn))
                    writer.MarkReserved(pfn, 1);
            }

            writer.Complete();
            Assert.Equal(core.File(), crash.Read("vmcore"));
            Assert.Equal((ulong)core.Pages.Count, writer.StoredPages + writer.ZeroPages);
            Assert.Equal(core.PageCount - (ulong)core.Pages.Count, writer.ReservedPages);
        }, iter: 30, threads: 1);

    [Fact]
    public void The_kernel_image_lies_at_two_places()
    {
        KernelCore core = KernelCore.Typical(new Random(1));
        (VmcoreLayout? layout, _) = VmcoreKernelHeader.Create(core.Header(), KernelCore.PageSize, core.PageCount);
        Assert.Equal(2, layout!.Positions(0x40).Length);
        Assert.Equal(1, layout.Positions(0x3f).Length);
        Assert.Equal(1, layout.Positions(0x100).Length);
        Assert.Equal(0, layout.Positions(0).Length);
        Assert.Equal(0, layout.Positions(0x80).Length);
        Assert.Equal(core.File().Length, layout.FileSize);
    }

    [Theory]
    [InlineData(0, "not an ELF")]          // not ELF
    [InlineData(1, "overlaps")]                 // a chunk on top of the header
    [InlineData(2, "ends past the last")]       // more memory than pages were announced
    [InlineData(3, "larger than")]              // an offset far away
    [InlineData(4, "page borders")]             // offset and address disagree within a page
    [InlineData(5, "memory begins at")]         // most of the header is missing
    [InlineData(6, "no memory")]                // notes only
    [InlineData(7, "lies in the file 5 times")] // one page over and over
    public void A_header_that_cannot_be_right_is_refused_with_its_reason(int kind, string expected)
    {
        KernelCore core = KernelCore.Typical(new Random(1));
        byte[] header = core.Header();
        ulong pages = core.PageCount;
        switch (kind)
        {
            case 0: header[0] = 0; break;
            case 1: KernelCore.Segment(header, 2, 1, 4096, 0x1000, 0x2000); break;
            case 2: pages--; break;
            case 3: KernelCore.Segment(header, 4, 1, 1L << 40, 0x1000, 0x2000); break;
            case 4: KernelCore.Segment(header, 4, 1, (1 << 24) + 8, 0x1000, 0x2000); break;
            case 5: header = header[..1024]; break;
            case 6: BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(56), 1); break;
            default:
                BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(56), 6);
                for (int i = 1; i < 6; i++)
                    KernelCore.Segment(header, i, 1, 8192 + (i - 1) * 4096, 0x5000, 4096);
                break;
        }

        (VmcoreLayout? layout, string? reason) = VmcoreKernelHeader.Create(header, KernelCore.PageSize, pages);
        Assert.Null(layout);
        Assert.Contains(expected, reason);
    }

    [Fact]
    public void Whatever_a_header_says_positions_stay_inside_a_bounded_file()
    {
        Gen<byte[]> hostile = Gen.Select(Gen.Int, Gen.Select(Gen.Int[0, 500], Gen.Byte).Array[0, 12]).Select((seed, pokes) =>
        {
            byte[] header = KernelCore.Typical(new Random(seed)).Header();
            foreach ((int at, byte value) in pokes)
                header[at] = value;
            return header;
        });
        int accepted = 0;
        Gen.Select(hostile, Gen.ULong[1, 4096]).Sample((header, pages) =>
        {
            (VmcoreLayout? layout, string? reason) = VmcoreKernelHeader.Create(header, KernelCore.PageSize, pages);
            Assert.NotEqual(layout is null, reason is null);
            if (layout is null)
                return;
            Interlocked.Increment(ref accepted);
            Assert.InRange(layout.FileSize, header.Length, header.Length + 4 * (long)pages * KernelCore.PageSize);
            for (ulong pfn = 0; pfn < pages + 3; pfn++)
            {
                foreach (long position in layout.Positions(pfn))
                {
                    long at = position + (long)pfn * KernelCore.PageSize;
                    Assert.InRange(at, header.Length, layout.FileSize - KernelCore.PageSize);
                }
            }
        }, iter: 3000, threads: 1);
        Assert.InRange(accepted, 1, 3000);
    }
}
