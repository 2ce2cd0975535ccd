using System.Numerics;
using Netdump.Vmcore.Codecs;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Kdump;

/// <summary>Decodes the pages of a kdump-compressed dump one after the other: bitmap, descriptors and data are read ahead in large pieces.</summary>
internal sealed class KdumpPageReader(KdumpMemory memory) : PageReader
{
    private const int BitmapWords = 512;
    private const int DescriptorsAhead = 1024;

    private readonly PageDecoder _decoder = new();
    private readonly byte[] _page = GC.AllocateUninitializedArray<byte>(memory.PageSize);
    private readonly byte[] _descriptors = GC.AllocateUninitializedArray<byte>(DescriptorsAhead * PageDescriptor.Length);
    private readonly ulong[] _bits = new ulong[BitmapWords];
    private KdumpPart? _part;
    private DumpWindows? _data;
    private ulong _bitsFrom = ulong.MaxValue;
    private ulong _rankPage;
    private ulong _rank;
    private long _descriptorsFrom = -1;
    private int _descriptorsLength;
    private ulong _zeroOffset;

    public override PageState Read(ulong page, out ReadOnlySpan<byte> bytes)
    {
        bytes = default;
        if (page >= memory.EndPage)
            return PageState.NotMemory;
        Move(page);
        if (!PageBits.Test(_bits, (int)(page - _bitsFrom)))
            return memory.StateOfUnstored(page);
        if (_part is null || page < _part.Header.StartPage || page >= _part.Header.EndPage)
        {
            if (memory.PartOf(page) is not { } part)
                return PageState.Lost;
            _data?.Dispose();
            _part = part;
            _data = new DumpWindows(part.Bytes, mapped: false, 1 << 20);
            _descriptorsFrom = -1;
            _zeroOffset = 0;
        }
        if (!TryGetDescriptor(_part.DescriptorOfRank(_rank), out var descriptor)
            || KdumpMemory.IsBeyond(descriptor, _part))
            return PageState.Lost;
        return Decode(descriptor, out bytes);
    }

    public override void Dispose()
    {
        _decoder.Dispose();
        _data?.Dispose();
    }

    private PageState Decode(PageDescriptor descriptor, out ReadOnlySpan<byte> bytes)
    {
        bytes = default;
        if (descriptor.Trouble(memory.PageSize) is not null)
            return PageState.Corrupt;
        if (descriptor.Codec == PageCodec.None && descriptor.Offset == _zeroOffset)
        {
            // The one zero page of the file: by and by a fifth of all pages, and far away from the others.
            _page.AsSpan().Clear();
            bytes = _page;
            return PageState.Present;
        }
        var input = _data!.Slice((long)descriptor.Offset, (int)descriptor.Size);
        if (input.Length < (int)descriptor.Size)
            return PageState.Lost;
        if (descriptor.Codec == PageCodec.None)
        {
            if (ZeroPage.IsZero(input))
                _zeroOffset = descriptor.Offset;
            bytes = input;
            return PageState.Present;
        }
        if (!_decoder.TryDecode(descriptor.Codec, input, _page))
            return PageState.Corrupt;
        bytes = _page;
        return PageState.Present;
    }

    // Brings bits and rank to the page; counting on from the page before where there is one.
    private void Move(ulong page)
    {
        var from = page - page % (BitmapWords * 64);
        if (from != _bitsFrom || page < _rankPage)
        {
            if (from != _bitsFrom)
                memory.Stored.Copy(from, _bits);
            _bitsFrom = from;
            _rankPage = from;
            _rank = memory.Stored.Rank(from);
        }
        for (var at = (int)(_rankPage - from); at < (int)(page - from);)
        {
            var end = Math.Min((at | 63) + 1, (int)(page - from));
            var mask = (end & 63) == 0 ? ulong.MaxValue : (1UL << end) - 1;
            _rank += (ulong)BitOperations.PopCount(_bits[at >> 6] & mask & (ulong.MaxValue << at));
            at = end;
        }
        _rankPage = page;
    }

    private bool TryGetDescriptor(long at, out PageDescriptor descriptor)
    {
        if (_descriptorsFrom < 0 || at < _descriptorsFrom || at + PageDescriptor.Length > _descriptorsFrom + _descriptorsLength)
        {
            _descriptorsFrom = at;
            _descriptorsLength = _part!.Bytes.Read(at, _descriptors);
        }
        descriptor = default;
        if (at + PageDescriptor.Length > _descriptorsFrom + _descriptorsLength)
            return false;
        descriptor = PageDescriptor.Parse(_descriptors.AsSpan((int)(at - _descriptorsFrom)), _part!.Header.IsBigEndian);
        return true;
    }
}
