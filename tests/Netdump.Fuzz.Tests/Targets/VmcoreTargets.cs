using System.Buffers.Binary;
using System.Text;
using Netdump.Fuzz.Tests.Engine;
using Netdump.Server.Store;
using Netdump.Vmcore;
using Netdump.Vmcore.Elf;
using Netdump.Vmcore.Log;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Tests.Log;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>The header area of an ELF core: as a reader sees it, and as the server takes it from a client.</summary>
public sealed class ElfCoreHeaders : FuzzTarget
{
    public override int MaximumLength => 4096;

    public override IReadOnlyList<byte[]> Tokens => [[0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1], [0xff, 0xff], [4, 0, 62, 0], [1, 0, 0, 0, 7, 0, 0, 0]];

    public override IEnumerable<byte[]> Seeds => [Core(2), Core(5)];

    public override bool IsExpected(Exception exception) => exception is VmcoreFormatException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        byte[] area = input.ToArray();
        (VmcoreLayout? layout, string? reason) = VmcoreKernelHeader.Create(area, 4096, 1 << 20);
        Require((layout is null) == (reason is not null), "a header is used, or it is said why not");
        _ = ElfCoreHeader.MeasureTables(input);
        ElfCoreHeader header = ElfCoreHeader.Parse(input);
        Require(header.HeaderAreaLength >= 0 && header.NotesOffset >= 0 && header.NotesLength >= 0, "places in a file are counts");
    }

    private static byte[] Core(int segments)
    {
        byte[] core = new byte[64 + 56 * (segments + 1)];
        new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1 }.CopyTo(core, 0);
        BinaryPrimitives.WriteUInt32LittleEndian(core.AsSpan(16), 4 | (62 << 16));
        BinaryPrimitives.WriteUInt32LittleEndian(core.AsSpan(20), 1);
        BinaryPrimitives.WriteUInt64LittleEndian(core.AsSpan(32), 64);
        BinaryPrimitives.WriteUInt32LittleEndian(core.AsSpan(52), 64 | (56 << 16));
        BinaryPrimitives.WriteUInt16LittleEndian(core.AsSpan(56), (ushort)(segments + 1));
        for (int i = 0; i <= segments; i++)
        {
            Span<byte> entry = core.AsSpan(64 + 56 * i);
            BinaryPrimitives.WriteUInt32LittleEndian(entry, i == 0 ? 4u : 1u);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], (ulong)(4096 * (i + 1)));
            BinaryPrimitives.WriteUInt64LittleEndian(entry[24..], i == 0 ? 0 : (ulong)(65536 * i));
            BinaryPrimitives.WriteUInt64LittleEndian(entry[32..], 4096);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[40..], 4096);
        }

        return core;
    }
}

/// <summary>Notes: registers and VMCOREINFO.</summary>
public sealed class ElfCoreNotes : FuzzTarget
{
    public override IReadOnlyList<byte[]> Tokens => [[5, 0, 0, 0, 0x50, 1, 0, 0, 1, 0, 0, 0, .. "CORE\0\0\0\0"u8], [.. "VMCOREINFO\0\0"u8], [11, 0, 0, 0]];

    public override IEnumerable<byte[]> Seeds => [[5, 0, 0, 0, 0x50, 1, 0, 0, 1, 0, 0, 0, .. "CORE\0\0\0\0"u8, .. new byte[336]]];

    public override bool IsExpected(Exception exception) => exception is VmcoreFormatException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        IReadOnlyList<ElfNote> notes = ElfNotes.Parse(input.ToArray(), 0x1000);
        Require(notes.Sum(note => note.Description.Length) <= input.Length, "notes lie in their area");
        foreach (ProcessorStatus processor in ProcessorStatus.From(notes, Machines.X64)) _ = (processor.Pid, processor.InstructionPointer, processor.InKernel);
        foreach (ElfNote note in notes) _ = VmcoreInfo.Parse(note.Description.Span).Release;
    }
}

/// <summary>The text of VMCOREINFO.</summary>
public sealed class VmcoreInfoTexts : FuzzTarget
{
    public override IReadOnlyList<byte[]> Tokens =>
        [.. new[] { "OSRELEASE=", "PAGESIZE=4096\n", "SYMBOL(", "NUMBER(", "OFFSET(", "SIZE(", "LENGTH(", ")=", "KERNELOFFSET=", "CRASHTIME=", "\n", "phys_base", "-1", "ffffffffffffffff" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds => [Encoding.ASCII.GetBytes("OSRELEASE=6.1.0\nPAGESIZE=4096\nCRASHTIME=1700000000\nKERNELOFFSET=1f000000\nNUMBER(phys_base)=-5\nSYMBOL(init_uts_ns)=ffffffff81\n" + new SyntheticRing().Keys)];

    public override void Run(ReadOnlySpan<byte> input)
    {
        VmcoreInfo info = VmcoreInfo.Parse(input);
        _ = (info.Release, info.BuildId, info.PageSize, info.KernelOffset, info.CrashTime, info.PhysicalBase, info.KernelImageSize, info.EncryptionMask, info.FiveLevelPaging);
        Require(info.Values.Count <= input.Length, "a value has a line");
        _ = (info.Symbol("prb"), info.Number("phys_base"), info.Size("prb_desc"), info.Offset("printk_info.seq"), info.Length("x"));
    }
}

/// <summary>The kernel's log ring in memory that may hold anything.</summary>
public sealed class KernelLogRings : FuzzTarget
{
    // The input lies where the ring's parts do: pointer and ring, descriptors, records, text, each so long.
    private static readonly (int Address, int Length)[] Windows = [(0x1000, 8), (0x2000, 64), (0x10000, 8 * 24), (0x20000, 8 * 112), (0x40000, 256)];

    private static readonly VmcoreInfo Info = new SyntheticRing().Info;

    public override int MaximumLength => Windows.Sum(window => window.Length);

    public override long MaximumAllocation => 600 << 20;

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            SyntheticRing ring = new();
            yield return Cut(ring);
            for (ulong i = 1; i < 12; i++) ring.Write(i, $"record {i}");
            yield return Cut(ring);
        }
    }

    public override bool IsExpected(Exception exception) => exception is VmcoreFormatException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        byte[] memory = new byte[0x50000];
        foreach ((int address, int length) in Windows)
        {
            int part = Math.Min(length, input.Length);
            input[..part].CopyTo(memory.AsSpan(address));
            input = input[part..];
        }

        IReadOnlyList<LogRecord> records = KernelLog.Read(
            (address, destination) =>
            {
                if (address >= (ulong)memory.Length) return 0;
                int count = Math.Min(destination.Length, memory.Length - (int)address);
                memory.AsSpan((int)address, count).CopyTo(destination);
                return count;
            },
            Info);
        Require(records.Count <= 1 << 20, "a ring has an end");
    }

    private static byte[] Cut(SyntheticRing ring) => [.. Windows.SelectMany(window => ring.Memory.AsSpan(window.Address, window.Length).ToArray())];
}

/// <summary>The log buffer of kernels before 5.10 in memory that may hold anything.</summary>
public sealed class KernelLogBuffers : FuzzTarget
{
    // Its pointer, length and indexes, and the records.
    private static readonly (int Address, int Length)[] Windows = [(0x100, 24), (0x1000, 512)];

    private static readonly VmcoreInfo Info = new SyntheticLogBuffer().Info;

    public override int MaximumLength => Windows.Sum(window => window.Length);

    public override IReadOnlyList<byte[]> Tokens => [[24, 0, 8, 0, 0, 0, 0, 0xc2], [0, 0, 0, 0, 0, 0, 0, 0], "SUBSYSTEM="u8.ToArray(), "DEVICE="u8.ToArray()];

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            SyntheticLogBuffer buffer = new();
            yield return Cut(buffer);
            for (ulong i = 1; i < 40; i++)
            {
                buffer.Write(i, $"record {i}", i % 5 == 0 ? "SUBSYSTEM=pci\0DEVICE=+pci:0000:00:03.0" : "");
                if (i is 8 or 39) yield return Cut(buffer);
            }
        }
    }

    public override bool IsExpected(Exception exception) => exception is VmcoreFormatException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        SyntheticLogBuffer buffer = new();
        foreach ((int address, int length) in Windows)
        {
            int part = Math.Min(length, input.Length);
            input[..part].CopyTo(buffer.Memory.AsSpan(address));
            input = input[part..];
        }

        long length64 = BinaryPrimitives.ReadUInt32LittleEndian(buffer.Memory.AsSpan(0x108));
        IReadOnlyList<LogRecord> records = KernelLog.Read(buffer.Read, Info);
        Require(records.Sum(record => record.Text.Length + SyntheticLogBuffer.Header) <= length64 + SyntheticLogBuffer.Header, "records do not overlap");
    }

    private static byte[] Cut(SyntheticLogBuffer buffer) => [.. Windows.SelectMany(window => buffer.Memory.AsSpan(window.Address, window.Length).ToArray())];
}

/// <summary>Page tables that may hold anything: every walk ends, and says where.</summary>
public sealed class PageTableWalks : FuzzTarget
{
    private static readonly VmcoreInfo FourLevels = Info(levels: 4);
    private static readonly VmcoreInfo FiveLevels = Info(levels: 5);

    public override int MaximumLength => 2048;

    public override IReadOnlyList<byte[]> Tokens => [[0x63, 0x10, 0, 0, 0, 0, 0, 0], [0xe3, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0x80, 0xff, 0xff, 0xff, 0xff]];

    public override IEnumerable<byte[]> Seeds => [[0, .. new byte[8], .. Enumerable.Repeat((byte[])[0x63, 0x10, 0, 0, 0, 0, 0, 0], 64).SelectMany(entry => entry)]];

    public override bool IsExpected(Exception exception) => exception is VmcoreFormatException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        if (input.Length < 17) return;
        byte[] tables = input[9..].ToArray();
        KernelMemory memory = new(
            (address, destination) =>
            {
                // The input over and over, so that every table exists; above 1 GiB there is nothing.
                if (address >= 1 << 30) return 0;
                for (int i = 0; i < destination.Length; i++) destination[i] = tables[(int)((address + (ulong)i) % (ulong)tables.Length)];
                return destination.Length;
            },
            input[0] % 2 == 0 ? FourLevels : FiveLevels);
        ulong at = BinaryPrimitives.ReadUInt64LittleEndian(input[1..]);
        _ = memory.Translate(at, out _);
        _ = memory.Translate(at | 0xffff_8000_0000_0000, out _);
        Span<byte> bytes = stackalloc byte[100];
        Require(memory.Read(at, bytes) is >= 0 and <= 100, "no more is read than asked");
    }

    private static VmcoreInfo Info(int levels) => VmcoreInfo.Parse(Encoding.ASCII.GetBytes(
        $"NUMBER(phys_base)=16384\nSYMBOL(swapper_pg_dir)={KernelMemory.ImageStart:x}\nNUMBER(pgtable_l5_enabled)={(levels == 5 ? 1 : 0)}\nNUMBER(KERNEL_IMAGE_SIZE)=1073741824\nPAGESIZE=4096\n"));
}
