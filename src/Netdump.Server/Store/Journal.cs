using System.Buffers;
using System.Buffers.Binary;

namespace Netdump.Server.Store;

/// <summary>What an entry of a journal holds.</summary>
internal enum JournalKind : byte
{
    /// <summary>A boot begins, or its epoch is known better. Value: epoch in Unix microseconds, 0 unknown. Payload: boot id or nothing.</summary>
    Boot = 1,

    /// <summary>An extended record. Payload: a whole datagram. Value: bytes lost in it.</summary>
    Extended = 2,

    /// <summary>A line of basic text, without its newline.</summary>
    Line = 3,

    /// <summary>Classic LOG text.</summary>
    Text = 4,

    /// <summary>A loss marker, without a newline. Value: messages or bytes lost.</summary>
    Loss = 5,

    /// <summary>A record of the dead kernel sent by its capture client. Payload: a whole datagram. Value: bytes lost in it.</summary>
    Dead = 6,

    /// <summary>Classic LOG text of the crash's own session.</summary>
    SessionText = 7,

    /// <summary>A loss marker within the session's text.</summary>
    SessionLoss = 8,

    /// <summary>
    /// How far another journal has been taken over (<see cref="JournalTail"/>). Payload: its name. At: arrival of its first entry. Value: offset.
    /// </summary>
    Followed = 9,
}

/// <summary>One entry of a journal.</summary>
/// <param name="Kind">What it holds.</param>
/// <param name="Port">UDP port of the sender.</param>
/// <param name="At">Time of arrival, Unix microseconds.</param>
/// <param name="Value">Depends on the kind.</param>
/// <param name="Payload">Depends on the kind; bytes as received.</param>
internal readonly record struct JournalEntry(JournalKind Kind, ushort Port, long At, ulong Value, ReadOnlyMemory<byte> Payload);

/// <summary>
/// A file of console records as received, from which a crash's log is made (own format, little endian): the signature, then entries of
/// payload length u32, kind u8, 0 u8, port u16, arrival i64, value u64, payload. A torn end, after a power cut, is ignored.
/// </summary>
internal static class Journal
{
    private const int EntryHeader = 24;
    private const int MaximumPayload = 128 * 1024;

    /// <summary>First bytes of the file.</summary>
    public static ReadOnlySpan<byte> Signature => "NDJRNL1\n"u8;

    /// <summary>Appends an entry.</summary>
    public static void Write(IBufferWriter<byte> output, JournalKind kind, ushort port, long at, ulong value, ReadOnlySpan<byte> payload)
    {
        Span<byte> header = output.GetSpan(EntryHeader + payload.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header, (uint)payload.Length);
        header[4] = (byte)kind;
        header[5] = 0;
        BinaryPrimitives.WriteUInt16LittleEndian(header[6..], port);
        BinaryPrimitives.WriteInt64LittleEndian(header[8..], at);
        BinaryPrimitives.WriteUInt64LittleEndian(header[16..], value);
        payload.CopyTo(header[EntryHeader..]);
        output.Advance(EntryHeader + payload.Length);
    }

    /// <summary>Reads a file; nothing if it is missing, of another format or unreadable.</summary>
    public static List<JournalEntry> Read(string path)
    {
        try
        {
            return File.Exists(path) ? Parse(File.ReadAllBytes(path)) : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Reads the entries of a file's bytes up to the first that is torn.</summary>
    public static List<JournalEntry> Parse(ReadOnlyMemory<byte> file)
    {
        return file.Span.StartsWith(Signature) ? ParseEntries(file[Signature.Length..]) : [];
    }

    /// <summary>Reads the entries behind the signature, or behind other entries.</summary>
    public static List<JournalEntry> ParseEntries(ReadOnlyMemory<byte> file)
    {
        List<JournalEntry> entries = [];
        while (file.Length >= EntryHeader)
        {
            ReadOnlySpan<byte> header = file.Span;
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(header);
            if (length > MaximumPayload || length > file.Length - EntryHeader) break;
            entries.Add(new JournalEntry(
                (JournalKind)header[4],
                BinaryPrimitives.ReadUInt16LittleEndian(header[6..]),
                BinaryPrimitives.ReadInt64LittleEndian(header[8..]),
                BinaryPrimitives.ReadUInt64LittleEndian(header[16..]),
                file.Slice(EntryHeader, (int)length)));
            file = file[(EntryHeader + (int)length)..];
        }

        return entries;
    }

    /// <summary>
    /// Opens a file for appending, made if missing (mode 0600), without what a power cut or a full disk left torn at its end: half an entry
    /// would hide all that follow it. A new file gets its signature. Throws <see cref="IOException"/>.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="entries">What <see cref="Read"/> found in it.</param>
    /// <returns>Its length.</returns>
    public static long PrepareToAppend(string path, List<JournalEntry> entries)
    {
        using FileStream file = new(path, new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0,
            UnixCreateMode = CrashStore.FileMode,
        });
        if (entries.Count == 0)
        {
            file.SetLength(0);
            file.Write(Signature);
        }

        long length = LengthOf(entries);
        if (file.Length > length) file.SetLength(length);
        return length;
    }

    /// <summary>Time of arrival of a file's first entry, Unix microseconds; 0 when it has none.</summary>
    public static long ArrivalOfFirst(Stream file)
    {
        Span<byte> head = stackalloc byte[Signature.Length + EntryHeader];
        file.Position = 0;
        int read = file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        return read < head.Length || !head.StartsWith(Signature) ? 0 : BinaryPrimitives.ReadInt64LittleEndian(head[(Signature.Length + 8)..]);
    }

    /// <summary>Length of a file that holds just these entries.</summary>
    public static long LengthOf(IEnumerable<JournalEntry> entries) => Signature.Length + entries.Sum(e => (long)EntryHeader + e.Payload.Length);
}
