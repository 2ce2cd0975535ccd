namespace Netdump.Client.Shell;

/// <summary>Lets a line be typed at a terminal, with the keys that shells have.</summary>
internal sealed class LineEditor(string prompt, ShellCompletion completion)
{
    private const int MostShown = 60;

    /// <summary>Reads a line.</summary>
    /// <param name="history">The lines before it, the oldest first.</param>
    /// <returns>Null at the end of input (^D); an empty line when it was given up (^C).</returns>
    public string? Read(IReadOnlyList<string> history)
    {
        var line = new LineBuffer(history);
        var isSecondTab = false;
        // Without this ^C would be a signal, and what was typed would stay.
        Console.TreatControlCAsInput = true;
        try
        {
            while (true)
            {
                Draw(line);
                var key = Console.ReadKey(intercept: true);
                var isTab = key.Key == ConsoleKey.Tab;
                var control = key.Modifiers.HasFlag(ConsoleModifiers.Control);
                if (key.Key == ConsoleKey.Enter || (control && key.Key is ConsoleKey.J or ConsoleKey.M))
                {
                    Console.Out.Write("\n");
                    return line.Text;
                }
                if (control && key.Key == ConsoleKey.C)
                {
                    Console.Out.Write("^C\n");
                    return "";
                }
                if (control && key.Key == ConsoleKey.D && line.Text.Length == 0)
                {
                    Console.Out.Write("\n");
                    return null;
                }
                if (control && key.Key == ConsoleKey.L)
                    Console.Out.Write("\e[H\e[2J");
                else if (isTab)
                    Complete(line, isSecondTab);
                else if (!line.Do(key) && !control && !char.IsControl(key.KeyChar))
                    line.Insert(key.KeyChar.ToString());
                isSecondTab = isTab;
            }
        }
        finally
        {
            Console.TreatControlCAsInput = false;
        }
    }

    // A line longer than the terminal is shown around the cursor.
    private void Draw(LineBuffer line)
    {
        var width = Math.Max(20, TerminalWidth() - prompt.Length - 1);
        var from = Math.Max(0, line.Cursor - width + 1);
        var shown = line.Text[from..Math.Min(line.Text.Length, from + width)];
        Console.Out.Write($"\r{prompt}{shown}\e[K\r\e[{prompt.Length + line.Cursor - from}C");
    }

    private static int TerminalWidth() => Console.WindowWidth is > 0 and var width ? width : 80;

    private void Complete(LineBuffer line, bool isSecondTab)
    {
        var words = completion.Complete(line.Text[..line.Cursor], out var start);
        if (words.Count == 0)
            return;
        var common = words[0];
        foreach (var word in words)
            common = common[..common.AsSpan().CommonPrefixLength(word)];
        if (words.Count == 1)
            line.Replace(start, common + " ");
        else if (common.Length > line.Cursor - start)
            line.Replace(start, common);
        else if (isSecondTab)
            Console.Out.Write($"\n{string.Join("  ", words.Take(MostShown))}{(words.Count > MostShown ? $"  ... {words.Count} in all" : "")}\n");
    }
}
