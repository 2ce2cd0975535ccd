using System.Text.Json;

namespace Netdump.Server.Store;

/// <summary>What a crash's report.json says first: title and signature. The rest of it may be megabytes, and is not read.</summary>
/// <param name="Title">The crash in one line.</param>
/// <param name="Signature">Its signature's id; null when there is none.</param>
public sealed record StoredReport(string Title, string? Signature)
{
    /// <summary>Name of the file in the crash directory.</summary>
    public const string FileName = "report.json";

    private const int Head = 64 << 10;

    /// <summary>Reads the head of a crash's report; null when there is none, or it is not understood.</summary>
    public static StoredReport? Read(CrashDirectory directory)
    {
        try
        {
            using FileStream file = new(directory.File(FileName), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            byte[] head = new byte[Math.Min(Head, file.Length)];
            return Parse(head.AsSpan(0, file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)), file.Length <= Head);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Reads title and signature out of the first bytes of a report. Throws <see cref="JsonException"/>.</summary>
    internal static StoredReport? Parse(ReadOnlySpan<byte> head, bool isWhole)
    {
        string? title = null;
        Utf8JsonReader reader = new(head, isWhole, default);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("title"))
            {
                reader.Read();
                title = reader.GetString();
            }
            else if (reader.ValueTextEquals("signature"))
            {
                string? id = ReadId(ref reader);
                return title is null ? null : new StoredReport(title, id);
            }
            else if (!reader.TrySkip())
            {
                break;
            }
        }

        return title is null ? null : new StoredReport(title, null);
    }

    private static string? ReadId(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isId = reader.ValueTextEquals("id");
            if (!reader.Read())
                return null;
            if (isId)
                return reader.GetString();
            if (!reader.TrySkip())
                return null;
        }

        return null;
    }
}
