using Netdump.Vmcore.Packed;

namespace Netdump.Vmcore.Tests;

/// <summary>A dump file that is in memory.</summary>
internal sealed class MemoryBytes(byte[] file) : DumpBytes("input", file.Length)
{
    /// <summary>Opens a dump that nothing is around.</summary>
    public static VmcoreFile Open(byte[] file) => VmcoreFile.Of([new MemoryBytes(file)], new DumpWrapping(Packing.None, IsFlattened: false, IsWhole: true));

    public override int Read(long offset, Span<byte> destination)
    {
        if (offset < 0 || offset >= file.Length)
            return 0;
        var count = (int)Math.Min(destination.Length, file.Length - offset);
        file.AsSpan((int)offset, count).CopyTo(destination);
        return count;
    }

    public override void Dispose()
    {
    }
}
