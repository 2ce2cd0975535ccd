using System.Buffers.Binary;
using Netdump.Vmcore.Elf;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Tests.Elf;

/// <summary>Cores of both classes and byte orders, and the registers of each machine.</summary>
public sealed class ElfClassTests
{
    [Theory]
    [InlineData(true, false, Machines.X64)]
    [InlineData(true, false, Machines.I386)] // what kexec-tools makes for PAE
    [InlineData(true, false, Machines.Arm64)]
    [InlineData(true, true, Machines.PowerPc64)]
    [InlineData(true, true, Machines.S390)]
    [InlineData(false, false, Machines.I386)]
    [InlineData(false, false, Machines.Arm)]
    [InlineData(false, true, Machines.S390)]
    public void Item02_headers_notes_and_memory_are_read(bool is64, bool isBigEndian, ushort machine)
    {
        foreach (var extended in (bool[])[false, true])
        {
            var core = new SyntheticCore
            {
                Is64 = is64,
                IsBigEndian = isBigEndian,
                Machine = machine,
                HeadersAt = is64 ? 64 : 52,
                EntryLength = is64 ? 56 : 32,
                ExtendedCount = extended,
            };
            core.AddNote("VMCOREINFO", 0, "OSRELEASE=5.10.0\nPAGESIZE=4096\n"u8);
            core.AddMemory(0x3000, Enumerable.Range(0, 0x2000).Select(i => (byte)(i / 16)).ToArray());
            using var file = core.Open();
            Assert.Equal((is64, isBigEndian, machine), (file.Elf!.Is64, file.IsBigEndian, file.Machine));
            Assert.Equal("5.10.0", file.Info!.Release);
            var bytes = new byte[0x2000];
            Assert.Equal(bytes.Length, file.Physical.Read(0x3000, bytes));
            Assert.Equal(0x23, bytes[0x1234]);
            Assert.Equal([new PageRange(3, 2)], file.Physical.Ranges);
            Assert.Equal(new PageCounts(2, 2, null, 0, 0), file.Physical.CountPages());
        }
    }

    [Theory]
    [InlineData(true, true, Machines.PowerPc64, "64-bit big-endian core of ppc64")]
    [InlineData(false, false, Machines.I386, "32-bit little-endian core of i686")]
    public void A_core_without_memory_is_refused_by_what_it_is(bool is64, bool isBigEndian, ushort machine, string expected)
    {
        var core = new SyntheticCore { Is64 = is64, IsBigEndian = isBigEndian, Machine = machine, HeadersAt = is64 ? 64 : 52, EntryLength = is64 ? 56 : 32 };
        var bytes = core.Build();
        bytes.AsSpan(is64 ? 56 : 44, 2).Clear();
        Assert.Contains(expected, Assert.Throws<VmcoreFormatException>(() => SyntheticCore.Open(bytes)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Machines.X64, 336, 8, 112, 16, 19, 32)]
    [InlineData(Machines.Arm64, 392, 8, 112, 32, 31, 32)]
    [InlineData(Machines.RiscV, 376, 8, 112, 0, 2, 32)]
    [InlineData(Machines.PowerPc64, 504, 8, 112, 32, 1, 32)]
    [InlineData(Machines.S390, 336, 8, 112, 1, 17, 32)]
    [InlineData(Machines.I386, 144, 4, 72, 12, 15, 24)]
    [InlineData(Machines.Arm, 148, 4, 72, 15, 13, 24)]
    public void Registers_lie_where_each_machine_has_them(ushort machine, int length, int word, int registers, int instruction, int stack, int pidAt)
    {
        foreach (var isBigEndian in (bool[])[false, true])
        {
            var note = new byte[length];
            Put(note.AsSpan(registers + instruction * word, word), 0x8123_4560);
            Put(note.AsSpan(registers + stack * word, word), 0x8877_6650);
            Put(note.AsSpan(pidAt, 4), 4711);
            var status = Assert.Single(ProcessorStatus.From(
                [new ElfNote("LINUX", 0x700, new byte[100], 0), new ElfNote("CORE", 1, note, 0), new ElfNote("CORE", 1, note.AsMemory(4), 0), new ElfNote("QEMU", 0, note, 0)],
                machine, isBigEndian));
            Assert.Equal((0x8123_4560UL, 0x8877_6650UL, 4711), (status.InstructionPointer, status.StackPointer, status.Pid));

            void Put(Span<byte> field, uint value)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(field, value);
                if (isBigEndian)
                    field.Reverse();
            }
        }
        Assert.Empty(ProcessorStatus.From([new ElfNote("CORE", 1, new byte[length], 0)], 9999));
    }

    [Fact]
    public void A_core_of_a_process_is_refused()
    {
        var core = new SyntheticCore();
        core.AddMemory(0, new byte[0x1000]);
        core.AddMemory(0, new byte[0x2000]);
        Assert.Contains("of a process", Assert.Throws<VmcoreFormatException>(core.Open).Message, StringComparison.Ordinal);
    }
}
