namespace Netdump.Kernel.Incidents;

/// <summary>How the lines of call traces look, on x86, arm64, arm and powerpc.</summary>
internal static class FrameText
{
    private static readonly string[] RegisterWords = ["RIP: ", "EIP: ", "IP: ", "NIP [", "pc : ", "PC is at ", "--- interrupt: "];

    /// <summary>Whether the frame is an address that merely lay on the stack: a question mark before it, or <c>(unreliable)</c> after.</summary>
    public static bool IsQuestionable(ReadOnlySpan<char> line)
    {
        if (line.EndsWith(" (unreliable)"))
            return true;
        int mark = line.IndexOf("? ");
        if (mark < 0 || line.Contains("<EOI>", StringComparison.Ordinal))
            return false;
        ReadOnlySpan<char> before = line[..mark].Trim(' ');
        if (!Text.SkipAddresses(before).IsEmpty && before is not ['<', .., '>'])
            return false;
        return !Name(line[(mark + 2)..].TrimStart(' '), out _).IsEmpty;
    }

    /// <summary>A frame of fault injection: the report is not the kernel's own doing.</summary>
    public static bool IsFaultInjection(ReadOnlySpan<char> line) =>
        line.Contains(" should_fail", StringComparison.Ordinal) && Text.SkipAddresses(line.TrimStart(' ')).StartsWith("should_fail");

    /// <summary>Whether a line begins a stack.</summary>
    public static bool BeginsStack(ReadOnlySpan<char> line)
    {
        if (line.Contains("Call Trace", StringComparison.Ordinal) || line.Contains("Call trace", StringComparison.Ordinal)
            || line.Contains("Backtrace:", StringComparison.Ordinal) || line.Contains("Uninit was stored to memory at", StringComparison.Ordinal))
            return true;
        if (line.Contains("located by task ", StringComparison.Ordinal) || line.Contains("Freed by task ", StringComparison.Ordinal))
            return line.TrimEnd(' ') is [.., ':'];
        int at = line.IndexOf("backtrace", StringComparison.Ordinal);
        if (at < 0 || (at >= 2 && line[at - 2] == 'k')) // "stack backtrace:" begins none
            return false;
        ReadOnlySpan<char> rest = line[(at + "backtrace".Length)..];
        return rest is [':', ..] || (rest.StartsWith(" (crc ") && rest.EndsWith("):"));
    }

    /// <summary>The line that names the place of an instruction.</summary>
    /// <param name="line">The line.</param>
    /// <param name="place">The function; empty for a place in user space or without a name.</param>
    public static bool IsRegisters(ReadOnlySpan<char> line, out ReadOnlySpan<char> place)
    {
        place = [];
        foreach (string word in RegisterWords)
        {
            int at = line.IndexOf(word, StringComparison.Ordinal);
            if (at < 0 || (at > 0 && Text.IsName(line[at - 1])))
                continue;
            ReadOnlySpan<char> rest = line[(at + word.Length)..].TrimStart(' ');
            if (word is "--- interrupt: ")
                rest = Text.After(rest, " at ");
            if (word is "NIP [")
                rest = Text.After(rest, "] ");
            int colon = 0; // the code segment: "0010:"
            while (colon < rest.Length && Text.IsHex(rest[colon]))
                colon++;
            bool segment = colon is > 0 and <= 4 && colon < rest.Length && rest[colon] == ':';
            if (segment)
                rest = rest[(colon + 1)..];
            rest = Text.SkipAddresses(rest.TrimStart(' '));
            place = Text.Function(rest);
            if (!place.IsEmpty || rest.StartsWith("0x") || rest.Contains("(null)", StringComparison.Ordinal) || segment)
                return true;
        }
        return false;
    }

    /// <summary>The functions of a frame's line: one, or two in the old form of arm (<c>(f) from [..] (g+0x..)</c>).</summary>
    public static void Functions(ReadOnlySpan<char> line, out ReadOnlySpan<char> first, out ReadOnlySpan<char> second)
    {
        second = [];
        ReadOnlySpan<char> text = Text.SkipAddresses(line.TrimStart(' '));
        int from = text.IndexOf(" from ", StringComparison.Ordinal);
        if (from > 0)
        {
            first = Bare(text[..from]);
            second = Name(Text.SkipAddresses(text[(from + 6)..].TrimStart(' ')).TrimStart('('), out _);
            if (!first.IsEmpty && !second.IsEmpty)
                return;
        }
        first = Text.Function(text);
        second = [];
        if (!first.IsEmpty && Name(text, out _).IsEmpty)
            first = [];
    }

    // "(f)" or "f", nothing else
    private static ReadOnlySpan<char> Bare(ReadOnlySpan<char> text)
    {
        text = text.Trim("( )");
        int end = 0;
        while (end < text.Length && Text.IsName(text[end]))
            end++;
        return end == text.Length || text[end] is '.' or '+' ? text[..end] : [];
    }

    /// <summary>The name before <c>+0x</c>, the compiler's suffixes with it; empty when the text does not begin with one.</summary>
    public static ReadOnlySpan<char> Name(ReadOnlySpan<char> text, out ReadOnlySpan<char> rest)
    {
        rest = [];
        int plus = 0;
        while (plus < text.Length && (Text.IsName(text[plus]) || text[plus] is '.' or '$'))
            plus++;
        if (plus == 0 || !text[plus..].StartsWith("+0x"))
            return [];
        rest = text[(plus + 1)..];
        return text[..plus];
    }

    /// <summary>A frame: <c>name+0xoff/0xsize [module]</c>, with what may stand before it.</summary>
    public static bool TryFrame(ReadOnlySpan<char> line, TraceSection section, out LogFrame frame)
    {
        ReadOnlySpan<char> text = line.TrimStart(" \t");
        bool reliable = !line.EndsWith(" (unreliable)");
        while (text is ['<', ..] && text.IndexOf("> ") is > 0 and < 16 and var mark)
            text = text[(mark + 1)..].TrimStart(' '); // " <IRQ> [<...>] ? f+0x.."
        text = Text.SkipAddresses(text);
        if (text.StartsWith("? "))
        {
            reliable = false;
            text = text[1..].TrimStart(' ');
        }
        if (text.IndexOf(" from ") is > 0 and var from && Bare(text[..from]) is { IsEmpty: false } callee && Place(text[..from].Trim("()"), section, out frame))
        {
            frame = frame with { Name = frame.Name.Length == 0 ? callee.ToString() : frame.Name };
            return true;
        }
        frame = default;
        if (!Place(text, section, out LogFrame place) || place.Name.Length == 0)
            return false;
        frame = place with { IsReliable = reliable };
        return true;
    }

    /// <summary>A place: <c>name+0xoff/0xsize [module]</c>; one without offset has an empty name.</summary>
    public static bool Place(ReadOnlySpan<char> text, TraceSection section, out LogFrame place)
    {
        ReadOnlySpan<char> name = Name(text, out ReadOnlySpan<char> rest);
        place = new("", 0, 0, null, true, section, false);
        if (name.IsEmpty)
            return !text.IsEmpty;
        Text.TryHex(rest, out ulong offset);
        ulong size = 0;
        int slash = rest.IndexOf('/');
        if (slash is > 0 and < 20)
            Text.TryHex(rest[(slash + 1)..], out size);
        string? module = null;
        int open = rest.IndexOf(" [", StringComparison.Ordinal);
        if (open >= 0 && rest[(open + 2)..].IndexOf(']') is > 0 and < 64 and var close)
        {
            ReadOnlySpan<char> inside = Text.Word(rest.Slice(open + 2, close)); // "[module build-id]"
            if (Text.IsModule(inside))
                module = inside.ToString();
        }
        place = new(name.ToString(), offset, size, module, true, section, false);
        return true;
    }

    /// <summary>The <c>N</c> of <c>text N</c> in decimal.</summary>
    public static int? Number(ReadOnlySpan<char> line, ReadOnlySpan<char> word)
    {
        int at = line.IndexOf(word, StringComparison.Ordinal);
        return at < 0 ? null : Text.Decimal(line[(at + word.Length)..]);
    }
}
