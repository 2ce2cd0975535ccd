namespace Netdump.Server.Store;

/// <summary>
/// What is appended to a journal that another object writes, perhaps on another thread: a crash's log goes on with its host's console.
/// A journal that was begun anew is another boot's and yields nothing more.
/// </summary>
internal sealed class JournalTail(string path)
{
    private const int MaximumRead = 8 * 1024 * 1024;

    /// <summary>Bytes taken over.</summary>
    public long Offset { get; private set; }

    /// <summary>Arrival of the journal's first entry, Unix microseconds: what tells one journal of this name from another; 0 before it is known.</summary>
    public long First { get; private set; }

    /// <summary>Name of the file.</summary>
    public string Name => Path.GetFileName(path);

    /// <summary>Goes on where an earlier run of the server stopped, or behind what was read in another way.</summary>
    public void Restore(long first, long offset)
    {
        First = first;
        Offset = offset;
    }

    /// <summary>Entries that are new since the last call; none when the file is missing, another or unreadable.</summary>
    public List<JournalEntry> Read()
    {
        try
        {
            if (!File.Exists(path) || new FileInfo(path).Length <= Math.Max(Offset, Journal.Signature.Length)) return [];
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            long first = Journal.ArrivalOfFirst(file);
            if (first == 0 || (First != 0 && first != First)) return [];
            First = first;
            if (Offset == 0) Offset = Journal.Signature.Length;
            file.Position = Offset;
            byte[] bytes = new byte[Math.Min(Math.Max(0, file.Length - Offset), MaximumRead)];
            List<JournalEntry> entries = Journal.ParseEntries(bytes.AsMemory(0, file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)));
            Offset += Journal.LengthOf(entries) - Journal.Signature.Length;
            return entries;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
