using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Tests;

/// <summary>The memory of a dump with bytes changed, by virtual address: what a damaged or hostile dump would have there.</summary>
internal sealed class PatchedMemory
{
    private const int PageSize = 4096;

    private readonly VmcoreFile _dump;
    private readonly KernelMemory _original;
    private readonly Dictionary<ulong, byte[]> _pages = [];

    public PatchedMemory(VmcoreFile dump)
    {
        _dump = dump;
        _original = dump.OpenKernelMemory();
        Memory = new(Read, dump.RequireInfo(), dump.Machine, dump.Physical.EndPage * (ulong)dump.PageSize);
    }

    public KernelMemory Memory { get; }

    /// <summary>Changes bytes.</summary>
    public void Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
        {
            Assert.Equal(TranslationResult.Mapped, _original.Translate(address, out var physical));
            Page(physical)[physical % PageSize] = value;
            address++;
        }
    }

    public void Write(ulong address, uint value) => Write(address, BitConverter.GetBytes(value));

    /// <summary>Takes the page around an address out of the dump.</summary>
    public void Remove(ulong address)
    {
        Assert.Equal(TranslationResult.Mapped, _original.Translate(address, out var physical));
        _pages[physical / PageSize] = [];
    }

    private byte[] Page(ulong physical)
    {
        if (!_pages.TryGetValue(physical / PageSize, out var page))
        {
            page = new byte[PageSize];
            Assert.Equal(PageSize, _dump.Physical.Read(physical / PageSize * PageSize, page));
            _pages.Add(physical / PageSize, page);
        }
        return page;
    }

    private int Read(ulong physical, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length)
        {
            var at = physical + (ulong)done;
            var part = destination.Slice(done, int.Min(destination.Length - done, PageSize - (int)(at % PageSize)));
            var got = part.Length;
            if (_pages.TryGetValue(at / PageSize, out var page))
            {
                if (page.Length == 0)
                    break;
                page.AsSpan((int)(at % PageSize), part.Length).CopyTo(part);
            }
            else
            {
                got = _dump.Physical.Read(at, part);
            }
            done += got;
            if (got < part.Length)
                break;
        }
        return done;
    }
}
