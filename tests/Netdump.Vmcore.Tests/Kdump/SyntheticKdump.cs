using System.Buffers.Binary;
using System.Text;

namespace Netdump.Vmcore.Tests.Kdump;

/// <summary>Makes kdump-compressed files of any version, word size and byte order, byte by byte from the format's description.</summary>
internal sealed class SyntheticKdump
{
    private readonly SortedDictionary<ulong, (uint Flags, byte[] Bytes, uint? Size)> _stored = [];
    private readonly HashSet<ulong> _memory = [];

    public string Signature { get; init; } = "KDUMP   ";

    public int Version { get; init; } = 6;

    public bool Is64 { get; init; } = true;

    /// <summary>With 32-bit words: 8-byte fields aligned to 8 (arm), not to 4 (i386).</summary>
    public bool IsPadded { get; init; }

    public bool IsBigEndian { get; init; }

    public int Block { get; init; } = 4096;

    public string[] Utsname { get; init; } = ["Linux", "host", "6.1.0", "#1", "x86_64", "(none)"];

    public uint Status { get; init; }

    public ulong Limit { get; init; } = 1000;

    public bool HasSingleBitmap { get; init; }

    public (ulong Start, ulong End)? Split { get; init; }

    public byte[] Notes { get; init; } = [];

    /// <summary>Offset of VMCOREINFO's text in the notes, for offset_vmcoreinfo; without notes the text itself.</summary>
    public int InfoInNotes { get; init; } = -1;

    public int InfoLength { get; init; }

    public ulong PhysicalBase { get; init; }

    public long SubHeaderAt => Block;

    public void AddMemory(params ulong[] pages) => _memory.UnionWith(pages);

    public void AddPage(ulong page, byte[] bytes, uint flags = 0, uint? size = null) => _stored[page] = (flags, bytes, size);

    public byte[] Build()
    {
        var (start, end) = Split ?? (0, Limit);
        var subLength = Is64 ? 104 : IsPadded ? 96 : 80;
        var subBlocks = (subLength + Notes.Length + Block - 1) / Block;
        var bitmapBlocks = ((int)((Limit + 7) / 8) + Block - 1) / Block;
        var bitmapAt = Block * (1 + subBlocks);
        var descriptorsAt = bitmapAt + bitmapBlocks * Block * (HasSingleBitmap ? 1 : 2);
        var inPart = _stored.Where(p => p.Key >= start && p.Key < end).ToList();
        var dataAt = descriptorsAt + 24 * inPart.Count;
        var file = new byte[dataAt + inPart.Sum(p => p.Value.Bytes.Length)];

        Encoding.ASCII.GetBytes(Signature).CopyTo(file, 0);
        U32(file, 8, (uint)Version);
        for (var i = 0; i < Utsname.Length; i++)
            Encoding.ASCII.GetBytes(Utsname[i]).CopyTo(file, 12 + 65 * i);
        Word(file, Is64 ? 408 : 404, 1_700_000_000);
        var status = Is64 ? 424 : 412;
        U32(file, status, Status);
        U32(file, status + 4, (uint)Block);
        U32(file, status + 8, (uint)subBlocks);
        U32(file, status + 12, (uint)(bitmapBlocks * (HasSingleBitmap ? 1 : 2)));
        U32(file, status + 16, (uint)Math.Min(Limit, uint.MaxValue));
        U32(file, status + 36, 2);
        SubHeader(file, start, end, subLength);

        foreach (var page in _memory.Concat(_stored.Keys))
            if (!HasSingleBitmap)
                file[bitmapAt + (int)(page / 8)] |= (byte)(1 << (int)(page % 8));
        var storedAt = HasSingleBitmap ? bitmapAt : bitmapAt + bitmapBlocks * Block;
        foreach (var page in _stored.Keys)
            file[storedAt + (int)(page / 8)] |= (byte)(1 << (int)(page % 8));
        var at = dataAt;
        for (var i = 0; i < inPart.Count; i++)
        {
            var (flags, bytes, size) = inPart[i].Value;
            var entry = descriptorsAt + 24 * i;
            U64(file, entry, bytes.Length == 0 ? 0 : (ulong)at);
            U32(file, entry + 8, size ?? (uint)bytes.Length);
            U32(file, entry + 12, flags);
            bytes.CopyTo(file, at);
            at += bytes.Length;
        }
        return file;
    }

    /// <summary>Offset of a field of the sub-header in the file.</summary>
    public int FieldAt(string name) => Block + name switch
    {
        "phys_base" => 0,
        "dump_level" => Is64 ? 8 : 4,
        "split" => Is64 ? 12 : 8,
        "start_pfn" => Is64 ? 16 : 12,
        "end_pfn" => Is64 ? 24 : 16,
        "offset_vmcoreinfo" => Is64 ? 32 : IsPadded ? 24 : 20,
        "size_vmcoreinfo" => Is64 ? 40 : IsPadded ? 32 : 28,
        "offset_note" => Is64 ? 48 : IsPadded ? 40 : 32,
        "size_note" => Is64 ? 56 : IsPadded ? 48 : 40,
        "start_pfn_64" => Is64 ? 80 : IsPadded ? 72 : 56,
        "end_pfn_64" => Is64 ? 88 : IsPadded ? 80 : 64,
        "max_mapnr_64" => Is64 ? 96 : IsPadded ? 88 : 72,
        _ => throw new ArgumentException(name),
    };

    private void SubHeader(byte[] file, ulong start, ulong end, int length)
    {
        Word(file, FieldAt("phys_base"), PhysicalBase);
        U32(file, FieldAt("dump_level"), 31);
        if (Split is not null)
            U32(file, FieldAt("split"), 1);
        if (Version >= 6)
        {
            U64(file, FieldAt("start_pfn_64"), start);
            U64(file, FieldAt("end_pfn_64"), end);
            U64(file, FieldAt("max_mapnr_64"), Limit);
        }
        else
        {
            Word(file, FieldAt("start_pfn"), start);
            Word(file, FieldAt("end_pfn"), end);
            // What a newer version would have there is anything in an older file.
            file.AsSpan(FieldAt("start_pfn_64"), 24).Fill(0xee);
        }
        if (Notes.Length == 0)
            return;
        var at = Block + length;
        Notes.CopyTo(file, at);
        if (Version >= 4)
        {
            U64(file, FieldAt("offset_note"), (ulong)at);
            Word(file, FieldAt("size_note"), (ulong)Notes.Length);
        }
        if (InfoInNotes >= 0)
        {
            U64(file, FieldAt("offset_vmcoreinfo"), (ulong)(at + InfoInNotes));
            Word(file, FieldAt("size_vmcoreinfo"), (ulong)InfoLength);
        }
    }

    private void Word(byte[] file, int at, ulong value)
    {
        if (Is64)
            U64(file, at, value);
        else
            U32(file, at, (uint)value);
    }

    private void U32(byte[] file, int at, uint value)
    {
        if (IsBigEndian)
            BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(at), value);
        else
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), value);
    }

    private void U64(byte[] file, int at, ulong value)
    {
        if (IsBigEndian)
            BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(at), value);
        else
            BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(at), value);
    }
}
