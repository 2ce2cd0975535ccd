using Netdump.Vmcore.Elf;
using Netdump.Vmcore.Output;

namespace Netdump.Vmcore.Kdump;

/// <summary>Makes the headers and notes of a kdump-compressed dump of another dump.</summary>
internal sealed class KdumpHeaderArea
{
    private readonly VmcoreFile _source;
    private readonly WriteOptions _options;
    private readonly KdumpLayout _layout;
    private readonly bool _is64;
    private readonly byte[] _notes;
    private readonly byte[] _utsname;

    public KdumpHeaderArea(VmcoreFile source, WriteOptions options)
    {
        _source = source;
        _options = options;
        _is64 = source.Elf?.Is64 ?? source.Kdump!.Is64;
        _layout = _is64 ? KdumpLayout.Of64 : source.Machine == Machines.I386 ? KdumpLayout.Packed32 : KdumpLayout.Padded32;
        _notes = source.NotesArea.IsEmpty && source.Kdump is { Info.Length: > 0 } old ? InfoNote(source, old) : source.NotesArea.ToArray();
        _utsname = Utsname.Find(source).ToBytes();
        PageCount = source.Physical.EndPage;
        var block = source.PageSize;
        SubHeaderBlocks = (_layout.SubHeaderLength + _notes.Length + block - 1) / block;
        BitmapLength = (long)(((PageCount + 7) / 8 + (ulong)block - 1) / (ulong)block) * block;
        BitmapOffset = (long)block * (1 + SubHeaderBlocks);
    }

    /// <summary>max_mapnr.</summary>
    public ulong PageCount { get; }

    public int SubHeaderBlocks { get; }

    /// <summary>Where bitmap 1 begins; bitmap 2 follows it, the table of pages bitmap 2.</summary>
    public long BitmapOffset { get; }

    /// <summary>Bytes of one bitmap, whole blocks.</summary>
    public long BitmapLength { get; }

    public long DescriptorOffset => BitmapOffset + 2 * BitmapLength;

    /// <summary>Header, sub-header and notes, up to the bitmaps.</summary>
    /// <param name="isIncomplete">Whether the file is marked as unfinished.</param>
    public byte[] Make(bool isIncomplete)
    {
        var area = new byte[BitmapOffset];
        var header = new FieldWriter(area, _source.IsBigEndian);
        "KDUMP   "u8.CopyTo(area);
        header.U32(8, KdumpHeader.NewestVersion);
        _utsname.CopyTo(area, KdumpHeader.UtsnameOffset);
        header.Word(_layout.Timestamp, _is64, (ulong)(_source.Info?.CrashTime ?? _source.Kdump?.Timestamp ?? DateTimeOffset.UnixEpoch).ToUnixTimeSeconds());
        header.U32(_layout.Status, (uint)_options.Codec | (isIncomplete ? KdumpHeader.IncompleteStatus : 0));
        header.U32(_layout.BlockSize, (uint)_source.PageSize);
        header.U32(_layout.SubHeaderBlocks, (uint)SubHeaderBlocks);
        header.U32(_layout.BitmapBlocks, (uint)(2 * BitmapLength / _source.PageSize));
        header.U32(_layout.PageLimit32, (uint)Math.Min(PageCount, uint.MaxValue));
        header.U32(_layout.ProcessorCount, (uint)Math.Max(1, Math.Max(_source.Processors.Count, _source.Kdump?.ProcessorCount ?? 0)));

        var sub = new FieldWriter(area.AsSpan(_source.PageSize), _source.IsBigEndian);
        sub.Word(0, _is64, PhysicalBase());
        sub.U32(_layout.DumpLevel, (uint)(_options.DumpLevel | (_source.Kdump?.DumpLevel ?? 0)));
        sub.U64(_layout.StartPage, 0);
        sub.U64(_layout.EndPage, PageCount);
        sub.U64(_layout.PageLimit, PageCount);
        if (_notes.Length > 0)
        {
            var notesAt = _source.PageSize + _layout.SubHeaderLength;
            _notes.CopyTo(area, notesAt);
            sub.U64(_layout.NotesOffset, (ulong)notesAt);
            sub.Word(_layout.NotesSize, _is64, (ulong)_notes.Length);
            foreach (var note in ElfNotes.Parse(_notes, notesAt, _source.IsBigEndian))
            {
                if (note.Name != "VMCOREINFO")
                    continue;
                sub.U64(_layout.InfoOffset, (ulong)note.Offset);
                sub.Word(_layout.InfoSize, _is64, (ulong)note.Description.Length);
                break;
            }
        }
        return area;
    }

    // makedumpfile writes PHYS_OFFSET here for arm64.
    private ulong PhysicalBase() => unchecked((ulong?)_source.Info?.PhysicalBase) ?? _source.Info?.UnsignedNumber("PHYS_OFFSET") ?? _source.Kdump?.PhysicalBase ?? 0;

    // Version 3 had no notes but VMCOREINFO.
    private static byte[] InfoNote(VmcoreFile source, KdumpHeader old)
    {
        var name = "VMCOREINFO\0\0"u8;
        var note = new byte[12 + name.Length + (old.Info.Length + 3) / 4 * 4];
        var fields = new FieldWriter(note, source.IsBigEndian);
        fields.U32(0, 11);
        fields.U32(4, (uint)old.Info.Length);
        name.CopyTo(note.AsSpan(12));
        _ = source.Bytes.Read(old.Info.Offset, note.AsSpan(12 + name.Length, old.Info.Length));
        return note;
    }
}
