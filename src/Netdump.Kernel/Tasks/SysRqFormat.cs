using System.Buffers;
using System.Globalization;
using System.Text;

namespace Netdump.Kernel.Tasks;

/// <summary>The line that a kernel's SysRq-t has for each task, which got more words over the years: taken from the dead kernel's own format string.</summary>
/// <remarks>
/// kernel/sched/core.c, sched_show_task(): 6.1 prints stack, pid, ppid and flags; 6.12 also tgid, 7.3 also task_flags. Distributions bring newer forms to
/// older kernels, so the string in the read-only data decides.
/// </remarks>
internal sealed class SysRqFormat
{
    private const string Oldest = " stack:%-5lu pid:%-5d ppid:%-6d flags:0x%08lx"; // 6.1
    private const int Chunk = 64 << 10;
    private const int Longest = 256;
    private const ulong MostData = 64 << 20;

    private readonly string _format;

    public SysRqFormat(string format) => _format = format;

    /// <summary>The format as C has it, without its line feed.</summary>
    public override string ToString() => _format;

    /// <summary>Finds the kernel's own, else takes that of 6.1.</summary>
    public static SysRqFormat Find(CrashedKernel kernel)
    {
        if (kernel.TryFind("__start_rodata", out var from) && kernel.TryFind("__end_rodata", out var to) && to > from && to - from <= MostData)
        {
            var buffer = ArrayPool<byte>.Shared.Rent(Chunk);
            try
            {
                for (var at = from; at < to; at += Chunk - Longest)
                {
                    ReadOnlySpan<byte> bytes = buffer.AsSpan(0, kernel.Memory.Read(at, buffer.AsSpan(0, (int)Math.Min(Chunk, to - at))));
                    // KERN_CONT stands before the text.
                    var found = bytes.IndexOf("\u0001c stack:%"u8);
                    if (found < 0)
                        continue;
                    ReadOnlySpan<byte> text = bytes[(found + 2)..];
                    var end = text.IndexOfAny((byte)'\n', (byte)0);
                    if (end is > 0 and < Longest && text[..end].IndexOfAnyExceptInRange((byte)' ', (byte)'~') < 0)
                        return new SysRqFormat(Encoding.ASCII.GetString(text[..end]));
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
        return new SysRqFormat(Oldest);
    }

    /// <summary>Writes the words; one that this program does not know gets 0.</summary>
    /// <param name="value">The value for a word: stack, pid, tgid, ppid, task_flags, flags.</param>
    /// <param name="output">Where to.</param>
    public void Write(Func<string, ulong> value, TextWriter output)
    {
        var label = 0;
        for (var at = 0; at < _format.Length; at++)
        {
            if (_format[at] != '%')
            {
                if (_format[at] == ' ')
                    label = at + 1;
                output.Write(_format[at]);
                continue;
            }
            var colon = _format.IndexOf(':', label, at - label);
            var number = value(colon < 0 ? "" : _format[label..colon]);
            bool left = false, zeros = false;
            var width = 0;
            for (at++; at < _format.Length && (_format[at] is '-' or 'l' || char.IsAsciiDigit(_format[at])); at++)
            {
                left |= _format[at] == '-';
                zeros |= _format[at] == '0' && width == 0;
                if (char.IsAsciiDigit(_format[at]))
                    width = Math.Min(width * 10 + (_format[at] - '0'), 64);
            }
            var digits = at < _format.Length && _format[at] == 'x' ? number.ToString("x", CultureInfo.InvariantCulture) : number.ToString(CultureInfo.InvariantCulture);
            output.Write(left ? digits.PadRight(width) : digits.PadLeft(width, zeros ? '0' : ' '));
        }
    }
}
