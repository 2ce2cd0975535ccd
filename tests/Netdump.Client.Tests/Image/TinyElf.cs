using System.Buffers.Binary;
using System.Text;

namespace Netdump.Client.Tests.Image;

/// <summary>Makes 64-bit ELF files with given sections: what a module or a program looks like to a reader of section tables.</summary>
internal static class TinyElf
{
    public static byte[] Module(params string[] info) => Make((".modinfo", Encoding.UTF8.GetBytes(string.Concat(info.Select(i => i + "\0")))));

    public static byte[] Program(string? interpreter, string? soname, params string[] needed)
    {
        var strings = new StringBuilder("\0");
        using var dynamic = new MemoryStream();
        void Add(long tag, string text)
        {
            byte[] entry = new byte[16];
            BinaryPrimitives.WriteInt64LittleEndian(entry, tag);
            BinaryPrimitives.WriteInt64LittleEndian(entry.AsSpan(8), strings.Length);
            dynamic.Write(entry);
            strings.Append(text).Append('\0');
        }
        foreach (string n in needed) Add(1, n);
        if (soname is not null) Add(14, soname);
        return Make((".interp", Encoding.ASCII.GetBytes((interpreter ?? "") + "\0")), (".dynamic", dynamic.ToArray()), (".dynstr", Encoding.ASCII.GetBytes(strings.ToString())));
    }

    public static byte[] Make(params (string Name, byte[] Data)[] sections)
    {
        using var body = new MemoryStream();
        body.Write(new byte[64]);
        var names = new StringBuilder("\0");
        var table = new List<(int Name, long Offset, long Size)> { (0, 0, 0) };
        foreach ((string name, byte[] data) in sections)
        {
            table.Add((names.Length, body.Length, data.Length));
            names.Append(name).Append('\0');
            body.Write(data);
        }
        table.Add((names.Length, body.Length, 0));
        names.Append(".shstrtab\0");
        byte[] nameBytes = Encoding.ASCII.GetBytes(names.ToString());
        table[^1] = table[^1] with { Size = nameBytes.Length };
        body.Write(nameBytes);
        long headers = body.Length;
        foreach ((int name, long offset, long size) in table)
        {
            byte[] header = new byte[64];
            BinaryPrimitives.WriteInt32LittleEndian(header, name);
            BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4), 1);
            BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(24), offset);
            BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(32), size);
            body.Write(header);
        }
        byte[] file = body.ToArray();
        new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1 }.CopyTo(file, 0);
        BinaryPrimitives.WriteInt64LittleEndian(file.AsSpan(40), headers);
        BinaryPrimitives.WriteInt16LittleEndian(file.AsSpan(58), 64);
        BinaryPrimitives.WriteInt16LittleEndian(file.AsSpan(60), (short)table.Count);
        BinaryPrimitives.WriteInt16LittleEndian(file.AsSpan(62), (short)(table.Count - 1));
        return file;
    }
}
