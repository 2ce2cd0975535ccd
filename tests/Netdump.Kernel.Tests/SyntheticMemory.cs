using System.Buffers.Binary;
using System.Text;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Tests;

/// <summary>Kernel memory that a test writes: all of it within the kernel image, mapped by one page of 1 GiB.</summary>
internal sealed class SyntheticMemory
{
    /// <summary>Virtual address of the first byte a test may write.</summary>
    public const ulong Start = KernelMemory.ImageStart + 0x10000;

    private readonly byte[] _bytes;

    public SyntheticMemory(int length = 1 << 20)
    {
        _bytes = new byte[0x10000 + length];
        Info = VmcoreInfo.Parse(Encoding.ASCII.GetBytes(
            $"OSRELEASE=6.1.0\nPAGESIZE=4096\nNUMBER(phys_base)=0\nSYMBOL(swapper_pg_dir)=ffffffff80001000\nSYMBOL(_stext)={Start:x}\n"));
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(0x1000 + 511 * 8), 0x2000 | 1);
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(0x2000 + 510 * 8), 0x81);
        Memory = new KernelMemory(Read, Info);
    }

    public VmcoreInfo Info { get; }

    public KernelMemory Memory { get; }

    public ulong End => KernelMemory.ImageStart + (ulong)_bytes.Length;

    public Span<byte> At(ulong address) => _bytes.AsSpan((int)(address - KernelMemory.ImageStart));

    public void Write(ulong address, ReadOnlySpan<byte> bytes) => bytes.CopyTo(At(address));

    public void Write(ulong address, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(At(address), value);

    private int Read(ulong physical, Span<byte> destination)
    {
        if (physical >= (ulong)_bytes.Length)
            return 0;
        var part = _bytes.AsSpan((int)physical);
        part = part[..Math.Min(part.Length, destination.Length)];
        part.CopyTo(destination);
        return part.Length;
    }
}
