using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Netdump.Kernel.Symbols;

namespace Netdump.Client.Commands;

/// <summary>Memory as words of 8 bytes, two a line; a word that lies in the kernel's code or data is its symbol instead.</summary>
internal static class WordPrinter
{
    private const int Column = 36;

    /// <summary>Prints whole words; what is left over at the end is printed as bytes.</summary>
    public static void Print(TextWriter output, KernelSymbols symbols, ulong address, ReadOnlySpan<byte> bytes)
    {
        StringBuilder line = new(96);
        for (int at = 0; at < bytes.Length; at += 16)
        {
            line.Clear().Append(unchecked(address + (ulong)at).ToString("x16", CultureInfo.InvariantCulture)).Append(":  ");
            for (int word = at; word < Math.Min(at + 16, bytes.Length); word += 8)
            {
                string text = word + 8 <= bytes.Length ? Text(symbols, BinaryPrimitives.ReadUInt64LittleEndian(bytes[word..])) : Convert.ToHexStringLower(bytes[word..]);
                line.Append(word == at ? text.PadRight(Column) : text);
            }
            output.WriteLine(line.ToString().TrimEnd());
        }
    }

    private static string Text(KernelSymbols symbols, ulong value)
    {
        if (!symbols.TryResolve(value, out SymbolMatch match))
            return value.ToString("x16", CultureInfo.InvariantCulture);
        string module = match.Module is null ? "" : $" [{match.Module}]";
        return value == match.Start ? match.Name + module : $"{match.Name}+0x{value - match.Start:x}{module}";
    }
}
