using System.Buffers.Binary;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Tests.Kdump;

namespace Netdump.Vmcore.Tests;

/// <summary>Cases of libkdumpfile's test suite that no other test of ours has (docs/vmcore.md lists them all).</summary>
public sealed class LibkdumpfileCasesTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("netdump-cases").FullName;

    [Theory] // diskdump-empty-*
    [InlineData("i686", false, false, Machines.I386)]
    [InlineData("ppc64", true, true, Machines.PowerPc64)]
    [InlineData("s390x", true, true, Machines.S390)]
    [InlineData("x86_64", true, false, Machines.X64)]
    public void A_kdump_of_no_pages_is_known_by_its_header(string machine, bool is64, bool isBigEndian, ushort number)
    {
        var dump = new SyntheticKdump { Is64 = is64, IsBigEndian = isBigEndian, Utsname = ["Linux", "host", "3.4.5", "#1", machine, ""] };
        using var file = MemoryBytes.Open(dump.Build());
        Assert.Equal((number, is64, isBigEndian), (file.Machine, file.Kdump!.Is64, file.IsBigEndian));
        Assert.Equal(new PageCounts(0, 0, 0, 0, 0), file.Physical.CountPages());
        Assert.True(file.IsComplete);
    }

    [Fact] // elf-partial: pieces of one page from three segments, one of them without bytes between two others
    public void A_page_is_put_together_of_its_pieces()
    {
        var core = new SyntheticCore { Packed = true };
        core.AddMemory(0x200, Filled(0x200, 0x55), 0x400);
        core.AddMemory(0x800, [], 0x400);
        core.AddMemory(0xc00, Filled(0x200, 0xaa));
        using var file = MemoryBytes.Open(core.Build());
        var page = Filled(4096, 1);
        Assert.Equal(4096, file.Physical.Read(0, page));
        Assert.Equal([.. new byte[0x200], .. Filled(0x200, 0x55), .. new byte[0x800], .. Filled(0x200, 0xaa), .. new byte[0x200]], page);
    }

    [Fact] // elf-fractional: a page twice, the first time only its beginning
    public void A_page_is_taken_from_where_it_is_whole()
    {
        var core = new SyntheticCore { Packed = true };
        core.AddMemory(0x1000, Filled(0x600, 0));
        core.AddMemory(0x1000, [.. new byte[4088], .. "NoMagic!"u8]);
        using var file = MemoryBytes.Open(core.Build());
        var end = new byte[8];
        Assert.Equal(8, file.Physical.Read(0x1ff8, end));
        Assert.Equal("NoMagic!"u8.ToArray(), end);
    }

    [Fact] // elf-overlap: which pages are memory and which are stored, of segments that run into each other
    public void Overlapping_segments_make_one_map()
    {
        var core = new SyntheticCore();
        core.AddMemory(0x1000, Filled(0x1000, 0x55), 0x4000);
        core.AddMemory(0x3000, [], 0x4000);
        core.AddMemory(0xa000, Filled(0x2000, 0x55), 0x8000);
        core.AddMemory(0xc000, Filled(0x2000, 0xaa), 0x4000);
        core.AddMemory(0x18000, [], 0x4000);
        core.AddMemory(0x1c000, Filled(0x1000, 0xaa), 0x2000);
        using var file = MemoryBytes.Open(core.Build());
        ulong[] memory = [0], stored = [0];
        file.Physical.CopyMemoryBits(0, memory);
        file.Physical.CopyStoredBits(0, stored);
        Assert.Equal((0x3f03fc7eUL, 0x10003c02UL), (memory[0], stored[0]));
    }

    [Fact] // elf-virt-phys-clash: an address that is one segment's virtual and another place's physical one
    public void A_physical_address_is_never_looked_up_among_virtual_ones()
    {
        var core = new SyntheticCore { Packed = true };
        core.AddMemory(0x200, [.. Filled(0x100, 0x55), .. Filled(0x100, 0xaa)]);
        var bytes = core.Build();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(64 + 56 + 16), 0x100); // p_vaddr
        using var file = MemoryBytes.Open(bytes);
        var read = new byte[16];
        Assert.Equal(16, file.Physical.Read(0x200, read));
        Assert.Equal(Filled(16, 0x55), read);
        Assert.Equal(16, file.Physical.Read(0x300, read));
        Assert.Equal(Filled(16, 0xaa), read);
    }

    [Fact] // elf-eraseinfo, elf-task_struct, elf-xen_prstatus
    public void Notes_of_others_are_kept_and_disturb_nothing()
    {
        var core = new SyntheticCore();
        core.AddNote("ERASEINFO", 0, "erase modules size 16\n"u8);
        core.AddNote("CORE", 4, new byte[4000]); // NT_TASKSTRUCT
        core.AddNote("Xen", 1, new byte[336]);
        core.AddNote("CORE", 1, SyntheticCore.Status(7));
        core.AddMemory(0x1000, new byte[0x1000]);
        using var file = MemoryBytes.Open(core.Build());
        Assert.Equal([("ERASEINFO", 0u, 22), ("CORE", 4u, 4000), ("Xen", 1u, 336), ("CORE", 1u, 336)],
            file.Notes.Select(note => (note.Name, note.Type, note.Description.Length)));
        Assert.Equal(7, Assert.Single(file.Processors).Pid);
    }

    [Fact] // elf-multiread
    public void Eight_threads_read_a_core_at_once()
    {
        var core = new SyntheticCore();
        var memory = new byte[64 * 4096];
        new Random(3).NextBytes(memory);
        core.AddMemory(0, memory);
        using var file = core.Open();
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, thread =>
        {
            var random = new Random(thread);
            var page = new byte[4096];
            for (var i = 0; i < 2000; i++)
            {
                var at = random.Next(64);
                Assert.Equal(4096, file.Physical.Read((ulong)at * 4096, page));
                Assert.True(page.AsSpan().SequenceEqual(memory.AsSpan(at * 4096, 4096)));
            }
        });
    }

    [Fact] // diskdump-split-flat, -split-mixed
    public void Item21_parts_may_be_flattened_or_not()
    {
        string[] Files(params bool[] flattened) => [.. flattened.Select((isFlattened, part) =>
        {
            var dump = new SyntheticKdump { Split = part switch { 0 => (1, 2), 1 => (2, 3), _ => (3, 1000) } };
            for (var page = 1; page <= 5; page++)
                dump.AddPage((ulong)page, Filled(4096, (byte)(16 * page)));
            var bytes = dump.Build();
            var path = Path.Combine(_directory, Path.GetRandomFileName());
            File.WriteAllBytes(path, isFlattened ? Flattened(bytes) : bytes);
            return path;
        })];
        foreach (var paths in new[] { Files(true, true, true), Files(false, true, false), Files(true, false, true) })
        {
            using var file = VmcoreFile.Open([paths[1], paths[2], paths[0]]);
            Assert.Equal([new PageRange(0, 1)], file.MissingPages);
            var page = new byte[4096];
            for (var i = 1; i <= 5; i++)
            {
                Assert.Equal(4096, file.Physical.Read((ulong)i * 4096, page));
                Assert.Equal(Filled(4096, (byte)(16 * i)), page);
            }
        }
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static byte[] Filled(int length, byte value) => [.. Enumerable.Repeat(value, length)];

    private static byte[] Flattened(byte[] dump)
    {
        var record = new byte[16];
        BinaryPrimitives.WriteInt64BigEndian(record.AsSpan(8), dump.Length);
        return [.. Vmcore.Flattened.FlattenedFormat.FileHeader(), .. record, .. dump, .. Filled(16, 0xff)];
    }
}
