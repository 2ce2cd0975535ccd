using System.Buffers.Binary;
using Netdump.Protocols.Classic;

namespace Netdump.Server.Store;

/// <summary>What the header of a classic client's vmcore says.</summary>
/// <param name="Machine">ELF machine number: 3 (i386), 21 (ppc64), 50 (ia64), 62 (x86_64), or another 64-bit one.</param>
/// <param name="PageSize">Bytes of one page.</param>
/// <param name="PageCount">Pages of the physical address space, holes included.</param>
/// <param name="TaskStruct">Kernel address of the crashing task, 0 when not known.</param>
/// <param name="PageOffset">Start of the kernel's direct map, 0 when not known.</param>
public readonly record struct VmcoreDescription(uint Machine, uint PageSize, ulong PageCount, ulong TaskStruct, ulong PageOffset);

/// <summary>
/// The header that the original netdump-server wrote (redhat-netdump.md, section 5): an ELF core file in the client's class and byte
/// order, with one note segment and one memory segment in which the file offset of a byte is its physical address plus a constant.
/// </summary>
public static class VmcoreOriginalHeader
{
    // Machines of our own clients alone; those of original ones are in ClassicMachine.
    private const uint Arm64 = 183, RiscV = 243;
    private const int PrStatus = 1, PrPsInfo = 3, TaskStruct = 4;

    /// <summary>Lays out the file.</summary>
    /// <param name="dump">What the client said of itself.</param>
    /// <param name="registers">The crashing context's registers as the client sent them, in the client's byte order. Registers of an
    /// unexpected length are left out, and their place stays zero; so do ia64's, whose order in a core file is another one.</param>
    /// <returns>The layout, or null with a reason when page size or page count cannot be right.</returns>
    public static (VmcoreLayout? Layout, string? Reason) Create(in VmcoreDescription dump, ReadOnlySpan<byte> registers)
    {
        bool wide = ClassicMachine.Is64Bit(dump.Machine);
        int programHeaders = wide ? 64 : 52;
        int notes = programHeaders + 2 * (wide ? 56 : 32);
        var header = new ElfBytes(wide, ClassicMachine.IsBigEndian(dump.Machine));
        WriteElfHeader(header, dump.Machine);

        header.Seek(notes);
        WriteStatus(header, dump.Machine, registers);
        header.Note(PrPsInfo, wide ? 136 : 124);
        int task = header.Note(TaskStruct, dump.Machine == ClassicMachine.Ia64 ? 16 : wide ? 8 : 4);
        int end = header.Position;
        header.Seek(task);
        header.Word(dump.TaskStruct);

        int alignment = (int)Math.Clamp(dump.PageSize, 4096, 1 << 20);
        int memory = (end + alignment - 1) / alignment * alignment;
        header.Seek(programHeaders);
        header.ProgramHeader(type: 4, flags: 0, (ulong)notes, virtualAddress: 0, (ulong)(end - notes), alignment: 0);
        header.ProgramHeader(type: 1, flags: 7, (ulong)memory, dump.PageOffset, dump.PageCount * dump.PageSize, dump.PageSize);

        bool made = VmcoreLayout.TryCreate(
            header.Take(memory), dump.PageSize, dump.PageCount, isKernelHeader: false,
            [new VmcoreChunk(0, dump.PageCount, memory)], out VmcoreLayout? layout, out string? reason);
        return (made ? layout : null, reason);
    }

    /// <summary>Lays out a file of this kind that exists.</summary>
    /// <param name="header">Its header area, up to the first page.</param>
    /// <param name="pageSize">Bytes of one page.</param>
    /// <param name="pageCount">Pages of the physical address space.</param>
    /// <returns>The layout, or null with a reason.</returns>
    public static (VmcoreLayout? Layout, string? Reason) Reopen(ReadOnlyMemory<byte> header, uint pageSize, ulong pageCount)
    {
        bool made = VmcoreLayout.TryCreate(
            header, pageSize, pageCount, isKernelHeader: false, [new VmcoreChunk(0, pageCount, header.Length)],
            out VmcoreLayout? layout, out string? reason);
        return (made ? layout : null, reason);
    }

    private static void WriteElfHeader(ElfBytes header, uint machine)
    {
        header.Bytes(0x7f, (byte)'E', (byte)'L', (byte)'F', (byte)(header.Wide ? 2 : 1), (byte)(header.BigEndian ? 2 : 1), 1, 0);
        header.Seek(16);
        header.Half(4);                 // ET_CORE
        header.Half((ushort)machine);
        header.UInt(1);
        header.Word(0);                 // entry
        header.Word(header.Wide ? 64u : 52u);
        header.Word(0);                 // section headers
        header.UInt(0);
        header.Half((ushort)(header.Wide ? 64 : 52));
        header.Half((ushort)(header.Wide ? 56 : 32));
        header.Half(2);
    }

    private static void WriteStatus(ElfBytes header, uint machine, ReadOnlySpan<byte> registers)
    {
        int block = machine switch { ClassicMachine.I386 => 72, _ => 112 };
        int length = RegisterBytes(machine);
        int size = machine == ClassicMachine.I386 ? block + length + 4 : (block + length + 4 + 7) / 8 * 8;
        int descriptor = header.Note(PrStatus, size);
        if (registers.Length != length || machine == ClassicMachine.Ia64)
            return;
        int end = header.Position;
        header.Seek(descriptor + block);
        header.Bytes(registers);
        header.Seek(end);
    }

    /// <summary>Bytes of the register block in a core file of a machine; 0 when it is not known.</summary>
    /// <param name="machine">ELF machine number.</param>
    public static int RegisterBytes(uint machine) => machine switch
    {
        ClassicMachine.I386 => 68,
        ClassicMachine.Ppc64 => 384,
        ClassicMachine.Ia64 => 1024,
        ClassicMachine.X86_64 => 216,
        Arm64 => 272,
        RiscV => 256,
        _ => 0,
    };

    /// <summary>Writes ELF fields in a class and byte order at a moving position.</summary>
    private sealed class ElfBytes(bool wide, bool bigEndian)
    {
        private readonly byte[] _bytes = new byte[4096];

        public bool Wide => wide;

        public bool BigEndian => bigEndian;

        public int Position { get; private set; }

        public void Seek(int position) => Position = position;

        public ReadOnlyMemory<byte> Take(int length)
        {
            var area = new byte[length];
            _bytes.AsSpan(0, Math.Min(length, _bytes.Length)).CopyTo(area);
            return area;
        }

        public void Bytes(params ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(_bytes.AsSpan(Position));
            Position += bytes.Length;
        }

        public void Half(ushort value)
        {
            if (bigEndian)
                BinaryPrimitives.WriteUInt16BigEndian(_bytes.AsSpan(Position), value);
            else
                BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(Position), value);
            Position += 2;
        }

        public void UInt(uint value)
        {
            if (bigEndian)
                BinaryPrimitives.WriteUInt32BigEndian(_bytes.AsSpan(Position), value);
            else
                BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(Position), value);
            Position += 4;
        }

        /// <summary>An address or size: 8 bytes, or 4 in a 32-bit file. There a size of 4 GiB and more (i386 with PAE) saturates at
        /// the last page border; readers take the file offset from the physical address alone.</summary>
        public void Word(ulong value)
        {
            if (!wide)
            {
                UInt(value > uint.MaxValue ? 0xffff_f000 : (uint)value);
                return;
            }

            if (bigEndian)
                BinaryPrimitives.WriteUInt64BigEndian(_bytes.AsSpan(Position), value);
            else
                BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(Position), value);
            Position += 8;
        }

        public void ProgramHeader(uint type, uint flags, ulong offset, ulong virtualAddress, ulong size, ulong alignment)
        {
            UInt(type);
            if (wide)
                UInt(flags);
            Word(offset);
            Word(virtualAddress);
            Word(0);
            Word(size);
            Word(type == 1 ? size : 0);
            if (!wide)
                UInt(flags);
            Word(alignment);
        }

        /// <summary>A note with a zero descriptor. The name takes four bytes without NUL: crash reads the task's address directly
        /// behind them.</summary>
        /// <returns>Position of the descriptor.</returns>
        public int Note(uint type, int descriptorBytes)
        {
            UInt(4);
            UInt((uint)descriptorBytes);
            UInt(type);
            Bytes("CORE"u8);
            int descriptor = Position;
            Position += (descriptorBytes + 3) / 4 * 4;
            return descriptor;
        }
    }
}
