namespace Netdump.Client.Shell;

/// <summary>The lines typed before, kept in a file between sessions.</summary>
internal sealed class ShellHistory
{
    private const int Most = 1000;

    private readonly string _path;
    private readonly List<string> _lines = [];

    /// <summary>Reads the file; without one the history is empty.</summary>
    public ShellHistory(string path)
    {
        _path = path;
        try
        {
            _lines.AddRange(File.ReadLines(path).TakeLast(Most));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The first session, or a home that cannot be read: it begins empty.
        }
    }

    /// <summary>The user's own file: XDG_STATE_HOME/netdump/history, by default below ~/.local/state.</summary>
    public static string DefaultPath => Path.Combine(
        Environment.GetEnvironmentVariable("XDG_STATE_HOME") is { Length: > 0 } state
            ? state
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "state"),
        "netdump", "history");

    /// <summary>The lines, oldest first.</summary>
    public IReadOnlyList<string> Lines => _lines;

    /// <summary>Adds a line; the same twice in a row counts once.</summary>
    public void Add(string line)
    {
        if (line.Trim().Length == 0 || (_lines.Count > 0 && _lines[^1] == line))
            return;
        _lines.Add(line);
        if (_lines.Count > Most)
            _lines.RemoveAt(0);
    }

    /// <summary>Writes the file, for its owner alone; a home that cannot be written loses it and nothing else.</summary>
    public void Save()
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
            using var file = new FileStream(_path, new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
            using var text = new StreamWriter(file) { NewLine = "\n" };
            foreach (var line in _lines)
                text.WriteLine(line);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // As above.
        }
    }
}
