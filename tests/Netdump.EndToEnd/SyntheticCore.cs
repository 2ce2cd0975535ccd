using System.Buffers.Binary;

namespace Netdump.EndToEnd;

/// <summary>An x86_64 ELF core as /proc/vmcore lays it out: one PT_NOTE with a PRSTATUS, one PT_LOAD of given size with known bytes.</summary>
public static class SyntheticCore
{
    private const int Page = 4096;
    private const long First = 0x100000;

    public static void Write(string path, int pages)
    {
        byte[] header = new byte[2 * Page];
        Span<byte> h = header;
        "\u007fELF"u8.CopyTo(h);
        h[4] = 2; h[5] = 1; h[6] = 1;                                  // 64-bit, little-endian
        BinaryPrimitives.WriteUInt16LittleEndian(h[16..], 4);          // ET_CORE
        BinaryPrimitives.WriteUInt16LittleEndian(h[18..], 62);         // EM_X86_64
        BinaryPrimitives.WriteUInt32LittleEndian(h[20..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(h[32..], 64);         // e_phoff
        BinaryPrimitives.WriteUInt16LittleEndian(h[52..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(h[54..], 56);
        BinaryPrimitives.WriteUInt16LittleEndian(h[56..], 2);
        ProgramHeader(h[64..], 4, Page, 0, 0, 12 + 8 + 336);
        ProgramHeader(h[120..], 1, 2 * Page, unchecked((long)0xffff888000000000) + First, First, (long)pages * Page);
        Span<byte> note = h[Page..];
        BinaryPrimitives.WriteUInt32LittleEndian(note, 5);
        BinaryPrimitives.WriteUInt32LittleEndian(note[4..], 336);
        BinaryPrimitives.WriteUInt32LittleEndian(note[8..], 1);        // NT_PRSTATUS
        "CORE"u8.CopyTo(note[12..]);
        for (int i = 0; i < 27; i++) BinaryPrimitives.WriteUInt64LittleEndian(note[(20 + 112 + 8 * i)..], (ulong)(0x1000 + i));

        using FileStream file = File.Create(path);
        file.Write(header);
        byte[] page = new byte[Page];
        Random random = new(7);
        for (int i = 0; i < pages; i++)
        {
            if (i % 5 == 4) page.AsSpan().Clear();                     // zero pages are stored as holes
            else random.NextBytes(page);
            file.Write(page);
        }
    }

    private static void ProgramHeader(Span<byte> at, uint type, long offset, long virtualAddress, long physical, long size)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(at, type);
        BinaryPrimitives.WriteUInt32LittleEndian(at[4..], 7);
        BinaryPrimitives.WriteInt64LittleEndian(at[8..], offset);
        BinaryPrimitives.WriteInt64LittleEndian(at[16..], virtualAddress);
        BinaryPrimitives.WriteInt64LittleEndian(at[24..], physical);
        BinaryPrimitives.WriteInt64LittleEndian(at[32..], size);
        BinaryPrimitives.WriteInt64LittleEndian(at[40..], size);
    }
}
