namespace Netdump.Client.Shell;

/// <summary>A line that is being typed: its text, the cursor, and the lines before it.</summary>
internal sealed class LineBuffer(IReadOnlyList<string> history)
{
    private int _place = history.Count;
    private string _own = "";

    /// <summary>The text.</summary>
    public string Text { get; private set; } = "";

    /// <summary>Where the cursor stands in it.</summary>
    public int Cursor { get; private set; }

    /// <summary>Writes at the cursor.</summary>
    public void Insert(string text) => Replace(Cursor, text);

    /// <summary>Puts other text between a place and the cursor.</summary>
    public void Replace(int from, string text)
    {
        Text = Text[..from] + text + Text[Cursor..];
        Cursor = from + text.Length;
    }

    /// <summary>Does what a key says: moving, deleting, older and newer lines.</summary>
    /// <returns>False when the key is none of these.</returns>
    public bool Do(ConsoleKeyInfo key)
    {
        var control = key.Modifiers.HasFlag(ConsoleModifiers.Control);
        switch (key.Key)
        {
            case ConsoleKey.LeftArrow or ConsoleKey.B when key.Key == ConsoleKey.LeftArrow || control:
                Cursor = Math.Max(0, Cursor - 1);
                return true;
            case ConsoleKey.RightArrow or ConsoleKey.F when key.Key == ConsoleKey.RightArrow || control:
                Cursor = Math.Min(Text.Length, Cursor + 1);
                return true;
            case ConsoleKey.Home or ConsoleKey.A when key.Key == ConsoleKey.Home || control:
                Cursor = 0;
                return true;
            case ConsoleKey.End or ConsoleKey.E when key.Key == ConsoleKey.End || control:
                Cursor = Text.Length;
                return true;
            case ConsoleKey.Backspace:
                Replace(Math.Max(0, Cursor - 1), "");
                return true;
            case ConsoleKey.Delete or ConsoleKey.D when key.Key == ConsoleKey.Delete || control:
                Text = Text.Remove(Cursor, Math.Min(1, Text.Length - Cursor));
                return true;
            case ConsoleKey.K when control:
                Text = Text[..Cursor];
                return true;
            case ConsoleKey.U when control:
                Replace(0, "");
                return true;
            case ConsoleKey.W when control:
                Replace(Text[..Cursor].TrimEnd().LastIndexOf(' ') + 1, "");
                return true;
            case ConsoleKey.UpArrow or ConsoleKey.P when key.Key == ConsoleKey.UpArrow || control:
                Show(_place - 1);
                return true;
            case ConsoleKey.DownArrow or ConsoleKey.N when key.Key == ConsoleKey.DownArrow || control:
                Show(_place + 1);
                return true;
            default:
                return false;
        }
    }

    private void Show(int place)
    {
        if (place < 0 || place > history.Count)
            return;
        if (_place == history.Count)
            _own = Text;
        _place = place;
        Text = place == history.Count ? _own : history[place];
        Cursor = Text.Length;
    }
}
