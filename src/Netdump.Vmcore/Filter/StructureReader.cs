using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Filter;

/// <summary>Reads the array of page structures, front to back, through the windows that pages are read by. For one thread.</summary>
internal sealed class StructureReader(KernelMemory memory, PageReader pages, int pageSize)
{
    private byte[] _joined = [];
    private ulong _blockStart = 1;
    private ulong _blockSize;
    private ulong _blockPhysical;

    /// <summary>Bytes at a virtual address, without a copy where they lie in one page.</summary>
    /// <param name="address">Where.</param>
    /// <param name="length">How many.</param>
    /// <param name="bytes">They; valid until the next call.</param>
    /// <returns>False when a page of them is not mapped or not in the dump.</returns>
    public bool TryRead(ulong address, int length, out ReadOnlySpan<byte> bytes)
    {
        var inPage = (int)(address & (ulong)(pageSize - 1));
        if (inPage + length <= pageSize)
        {
            var found = TryReadPage(address, out bytes);
            bytes = found ? bytes.Slice(inPage, length) : default;
            return found;
        }
        if (_joined.Length < length)
            _joined = GC.AllocateUninitializedArray<byte>(length);
        bytes = default;
        for (var done = 0; done < length;)
        {
            var at = unchecked(address + (ulong)done);
            if (at < address || !TryReadPage(at, out var page))
                return false;
            page = page[(int)(at & (ulong)(pageSize - 1))..];
            page = page[..Math.Min(page.Length, length - done)];
            page.CopyTo(_joined.AsSpan(done));
            done += page.Length;
        }
        bytes = _joined.AsSpan(0, length);
        return true;
    }

    private bool TryReadPage(ulong address, out ReadOnlySpan<byte> page)
    {
        page = default;
        if ((address & ~(_blockSize - 1)) != _blockStart || _blockSize == 0)
        {
            if (memory.Translate(address, out var physical, out _blockSize) != TranslationResult.Mapped)
            {
                _blockSize = 0;
                return false;
            }
            (_blockStart, _blockPhysical) = (address & ~(_blockSize - 1), physical & ~(_blockSize - 1));
        }
        var number = (_blockPhysical + (address - _blockStart)) / (ulong)pageSize;
        return pages.Read(number, out page) is PageState.Present or PageState.NotInDump;
    }
}
