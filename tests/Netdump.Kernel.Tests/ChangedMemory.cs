using System.Buffers.Binary;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Tests;

/// <summary>The memory of a real dump with some words changed: kernels that broke in ways nobody has recorded.</summary>
internal sealed class ChangedMemory(VmcoreFile dump)
{
    private readonly KernelMemory _plain = dump.OpenKernelMemory();
    private readonly SortedDictionary<ulong, byte> _changed = [];

    /// <summary>Changes a word of 8 bytes at a virtual address.</summary>
    public ChangedMemory Write(ulong address, ulong value)
    {
        Assert.Equal(TranslationResult.Mapped, _plain.Translate(address, out var physical));
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        for (var i = 0; i < bytes.Length; i++)
            _changed[physical + (ulong)i] = bytes[i];
        return this;
    }

    /// <summary>Reads a word of 8 bytes as it is in the dump.</summary>
    public ulong Read(ulong address)
    {
        Assert.True(_plain.TryReadUInt64(address, out var value));
        return value;
    }

    /// <summary>The kernel with that memory.</summary>
    public CrashedKernel Open() =>
        new(dump, new KernelMemory(ReadPhysical, dump.RequireInfo(), dump.Machine, dump.Physical.EndPage * (ulong)dump.PageSize));

    private int ReadPhysical(ulong address, Span<byte> destination)
    {
        var got = dump.Physical.Read(address, destination);
        foreach (var (at, value) in _changed)
            if (at >= address && at < address + (ulong)got)
                destination[(int)(at - address)] = value;
        return got;
    }
}
