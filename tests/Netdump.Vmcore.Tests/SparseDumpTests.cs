using System.Buffers.Binary;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Tests.Kdump;

namespace Netdump.Vmcore.Tests;

/// <summary>Dumps of a terabyte of memory, sparse files with a few real pages: opening them takes little memory.</summary>
public sealed class SparseDumpTests : IDisposable
{
    private const ulong Pages = 1UL << 28; // 1 TiB of 4 KiB pages
    private const long Bound = 64 << 20;

    private readonly string _path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());

    [Fact]
    public void An_ELF_core_of_a_terabyte_opens_in_little_memory()
    {
        var core = new SyntheticCore();
        core.AddNote("VMCOREINFO", 0, "OSRELEASE=6.1.0\nPAGESIZE=4096\n"u8);
        core.AddMemory(0x1000, new byte[0x1000], Pages * 4096);
        var bytes = core.Build();
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(64 + 56 + 32), (long)Pages * 4096); // p_filesz
        using (var sparse = File.Create(_path))
        {
            sparse.Write(bytes);
            sparse.SetLength((long)Pages * 4096 + 0x10000);
            sparse.Position = bytes.Length - 4096 + (1L << 39);
            sparse.Write(Page(5));
        }
        InLittleMemory(file =>
        {
            Assert.Equal((Pages, "6.1.0"), (file.Physical.CountPages().Stored, file.Info!.Release));
            AssertPage(file, 0x1000 + (1UL << 39), Page(5));
            AssertPage(file, Pages * 4096, new byte[4096]);
        });
    }

    [Fact]
    public void A_kdump_of_a_terabyte_opens_in_little_memory()
    {
        const long Bitmap = (long)Pages / 8;
        var dump = new SyntheticKdump { Limit = 1000, Notes = SyntheticCore.Note("VMCOREINFO", 0, "OSRELEASE=6.1.0\nPAGESIZE=4096\n"u8), InfoInNotes = 24, InfoLength = 30 };
        var header = dump.Build()[..8192];
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(436), (uint)(2 * Bitmap / 4096));
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(440), (uint)Pages);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(dump.FieldAt("max_mapnr_64")), Pages);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(dump.FieldAt("end_pfn_64")), Pages);
        ulong[] stored = [3, 1UL << 20, (1UL << 27) + 5, Pages - 1];
        using (var sparse = File.Create(_path))
        {
            sparse.Write(header);
            var (descriptors, data) = (8192 + 2 * Bitmap, 8192 + 2 * Bitmap + 4096);
            for (var i = 0; i < stored.Length; i++)
            {
                foreach (var bitmap in (long[])[8192, 8192 + Bitmap])
                {
                    sparse.Position = bitmap + (long)(stored[i] / 8);
                    sparse.WriteByte((byte)(1 << (int)(stored[i] % 8)));
                }
                var descriptor = new byte[24];
                BinaryPrimitives.WriteInt64LittleEndian(descriptor, data + 4096 * i);
                BinaryPrimitives.WriteInt32LittleEndian(descriptor.AsSpan(8), 4096);
                sparse.Position = descriptors + 24 * i;
                sparse.Write(descriptor);
                sparse.Position = data + 4096 * i;
                sparse.Write(Page((byte)(i + 1)));
            }
        }
        InLittleMemory(file =>
        {
            Assert.Equal((Pages, "6.1.0"), (file.Physical.EndPage, file.Info!.Release));
            Assert.Equal(new PageCounts(4, 4, 0, 0, 0), file.Physical.CountPages());
            Assert.Equal([.. stored.Select(page => new PageRange(page, 1))], file.Physical.Ranges);
            using var reader = file.Physical.OpenReader();
            for (var i = 0; i < stored.Length; i++)
            {
                AssertPage(file, stored[i] * 4096, Page((byte)(i + 1)));
                Assert.Equal(PageState.Present, reader.Read(stored[i], out var bytes));
                Assert.Equal(Page((byte)(i + 1)), bytes.ToArray());
            }
            Assert.Equal(PageState.NotMemory, file.Physical.StateOf(77));
        });
    }

    public void Dispose() => File.Delete(_path);

    private void InLittleMemory(Action<VmcoreFile> use)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        using var file = VmcoreFile.Open(_path);
        use(file);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Bound);
    }

    private static void AssertPage(VmcoreFile file, ulong address, byte[] expected)
    {
        var page = new byte[4096];
        Assert.Equal(page.Length, file.Physical.Read(address, page));
        Assert.Equal(expected, page);
    }

    private static byte[] Page(byte filling) => [.. Enumerable.Repeat(filling, 4096)];
}
