using System.Buffers.Binary;

namespace Netdump.Vmcore.Tests;

/// <summary>Makes ELF cores, sound ones and others.</summary>
internal sealed class SyntheticCore
{
    private readonly List<(ulong Physical, byte[] Bytes, ulong MemorySize)> _memory = [];
    private readonly List<(string Name, uint Type, byte[] Description)> _notes = [];

    /// <summary>Program headers start here; in between may lie section headers.</summary>
    public int HeadersAt { get; init; } = 64;

    public int EntryLength { get; init; } = 56;

    /// <summary>Count the program headers in section header 0 (PN_XNUM), as for more than 65534.</summary>
    public bool ExtendedCount { get; init; }

    /// <summary>Lay chunks on page borders as /proc/vmcore does, or one behind the other as QEMU does.</summary>
    public bool Packed { get; init; }

    public ushort Machine { get; init; } = 62;

    /// <summary>ELFCLASS64 or ELFCLASS32; of the latter headers begin at 52 and have 32 bytes.</summary>
    public bool Is64 { get; init; } = true;

    public bool IsBigEndian { get; init; }

    public void AddMemory(ulong physical, byte[] bytes, ulong? memorySize = null) => _memory.Add((physical, bytes, memorySize ?? (ulong)bytes.Length));

    public void AddNote(string name, uint type, ReadOnlySpan<byte> description) => _notes.Add((name, type, description.ToArray()));

    public static byte[] Note(string name, uint type, ReadOnlySpan<byte> description, bool isBigEndian = false)
    {
        var nameBytes = System.Text.Encoding.ASCII.GetBytes(name + "\0");
        var note = new byte[12 + Pad(nameBytes.Length, 4) + Pad(description.Length, 4)];
        BinaryPrimitives.WriteInt32LittleEndian(note, nameBytes.Length);
        BinaryPrimitives.WriteInt32LittleEndian(note.AsSpan(4), description.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(note.AsSpan(8), type);
        nameBytes.CopyTo(note, 12);
        description.CopyTo(note.AsSpan(12 + Pad(nameBytes.Length, 4)));
        if (isBigEndian)
            for (var i = 0; i < 12; i += 4)
                note.AsSpan(i, 4).Reverse();
        return note;
    }

    public static byte[] Status(int pid, ulong instruction = 0xffffffff81000000, ulong codeSegment = 0x10)
    {
        var status = new byte[336];
        BinaryPrimitives.WriteInt32LittleEndian(status.AsSpan(32), pid);
        for (var i = 0; i < 27; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(status.AsSpan(112 + i * 8), (ulong)(pid * 100 + i));
        BinaryPrimitives.WriteUInt64LittleEndian(status.AsSpan(112 + 16 * 8), instruction);
        BinaryPrimitives.WriteUInt64LittleEndian(status.AsSpan(112 + 17 * 8), codeSegment);
        return status;
    }

    public byte[] Build()
    {
        var count = _memory.Count + 1;
        var tablesEnd = HeadersAt + count * EntryLength;
        var sections = ExtendedCount ? tablesEnd : 0;
        var notes = _notes.SelectMany(n => Note(n.Name, n.Type, n.Description, IsBigEndian)).ToArray();
        var notesAt = Pad(tablesEnd + (ExtendedCount ? 64 : 0), Packed ? 4 : 4096);
        var file = new List<byte>(new byte[notesAt]);
        file.AddRange(notes);
        var headers = new List<byte[]> { Segment(4, (ulong)notesAt, 0, (ulong)notes.Length, (ulong)notes.Length) };
        foreach (var (physical, bytes, memorySize) in _memory)
        {
            var offset = Packed ? file.Count : Pad(file.Count, 4096) + (int)(physical % 4096);
            file.AddRange(new byte[offset - file.Count]);
            file.AddRange(bytes);
            headers.Add(Segment(1, (ulong)offset, physical, (ulong)bytes.Length, memorySize));
        }
        if (!Packed)
            file.AddRange(new byte[Pad(file.Count, 4096) - file.Count]);

        var result = file.ToArray();
        Header(result, count, sections);
        for (var i = 0; i < count; i++)
            headers[i].CopyTo(result, HeadersAt + i * EntryLength);
        return result;
    }

    public VmcoreFile Open() => Open(Build());

    public static VmcoreFile Open(byte[] core)
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        File.WriteAllBytes(path, core);
        try
        {
            return VmcoreFile.Open(path);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private byte[] Segment(uint type, ulong offset, ulong physical, ulong fileSize, ulong memorySize)
    {
        var header = new byte[Is64 ? 56 : 32];
        Put(header, 0, 4, type);
        if (Is64)
        {
            Put(header, 4, 4, 7);
            ulong[] words = [offset, 0xffff888000000000 + physical, physical, fileSize, memorySize];
            for (var i = 0; i < words.Length; i++)
                Put(header, 8 + 8 * i, 8, words[i]);
        }
        else
        {
            ulong[] words = [offset, (uint)(0xc0000000 + physical), physical, fileSize, memorySize, 7];
            for (var i = 0; i < words.Length; i++)
                Put(header, 4 + 4 * i, 4, words[i]);
        }
        return header;
    }

    private void Header(byte[] file, int count, int sections)
    {
        new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', (byte)(Is64 ? 2 : 1), (byte)(IsBigEndian ? 2 : 1), 1 }.CopyTo(file, 0);
        Put(file, 16, 2, 4);
        Put(file, 18, 2, Machine);
        Put(file, 20, 4, 1);
        Put(file, Is64 ? 32 : 28, Is64 ? 8 : 4, (ulong)HeadersAt);
        Put(file, Is64 ? 40 : 32, Is64 ? 8 : 4, (ulong)sections);
        Put(file, Is64 ? 52 : 40, 2, Is64 ? 64UL : 52);
        Put(file, Is64 ? 54 : 42, 2, (ulong)EntryLength);
        Put(file, Is64 ? 56 : 44, 2, ExtendedCount ? 0xffff : (ulong)count);
        if (ExtendedCount)
            Put(file, sections + (Is64 ? 44 : 28), 4, (ulong)count);
    }

    private void Put(byte[] bytes, int at, int width, ulong value)
    {
        for (var i = 0; i < width; i++)
            bytes[at + (IsBigEndian ? width - 1 - i : i)] = (byte)(value >> (8 * i));
    }

    private static int Pad(int length, int to) => (length + to - 1) / to * to;
}
