using System.Text;
using Netdump.Fuzz.Tests.Engine;
using Netdump.Server.Receivers.Upload;
using Netdump.Server.Store;
using Netdump.Vmcore;
using Netdump.Vmcore.Flattened;
using Netdump.Vmcore.Output;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>
/// An upload as it arrives, cut into portions: the first byte says how long they are, the rest is the upload. Whatever it holds, the portions make no
/// difference, no piece lies beyond the limit, and the state survives being saved.
/// </summary>
public sealed class UploadedStreams : FuzzTarget
{
    private const long Limit = 1 << 20;

    public override int MaximumLength => FlattenedFormat.FileHeaderLength + 2048;

    public override IReadOnlyList<byte[]> Tokens => ["makedumpfile\0\0\0\0"u8.ToArray(), [0, 0, 0, 0, 0, 0, 0, 1], [255, 255, 255, 255, 255, 255, 255, 255], [0, 0, 0, 0, 0, 15, 255, 255]];

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            MemoryStream stream = new();
            using (FlattenedOutput output = new(stream, leaveOpen: true))
            {
                output.Write(0, "first"u8);
                output.Write(100, "second"u8);
                output.Write(3, "third"u8);
                output.Finish();
            }

            yield return [7, .. stream.ToArray()];
            yield return [0, .. stream.ToArray(), 1, 2, 3];
            yield return [255, .. "makedump"u8];
            yield return [3, .. "any other format"u8];
        }
    }

    public override bool IsExpected(Exception exception) => exception is VmcoreFormatException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
            return;
        int portion = input[0] + 1;
        input = input[1..];
        var (whole, plain, error) = Decode(input, input.Length);
        var (cut, again, same) = Decode(input, portion);
        Require(error == same, "portions make no difference to what is refused");
        if (error is not null)
            throw new VmcoreFormatException(0, error);
        Require(whole.AsSpan().SequenceEqual(cut), "portions make no difference to the dump");
        Require(plain.Received == input.Length && again.Received == input.Length && plain.Length == again.Length && plain.IsWhole == again.IsWhole, "nor to the state");
    }

    private static (byte[] Dump, FlattenedDecoder State, string? Error) Decode(ReadOnlySpan<byte> input, int portion)
    {
        FlattenedDecoder decoder = default;
        byte[] dump = new byte[Limit];
        byte[] state = new byte[FlattenedDecoder.StateLength];
        try
        {
            while (!input.IsEmpty)
            {
                ReadOnlySpan<byte> part = input[..Math.Min(portion, input.Length)];
                input = input[part.Length..];
                while (decoder.TryNext(ref part, Limit, out long offset, out ReadOnlySpan<byte> piece))
                    piece.CopyTo(dump.AsSpan((int)offset));
                decoder.Save(state);
                Require(FlattenedDecoder.TryLoad(state, out decoder), "a state that was saved is one");
            }

            decoder.Finish(out ReadOnlySpan<byte> first);
            first.CopyTo(dump);
        }
        catch (VmcoreFormatException e)
        {
            return (dump, decoder, e.Message);
        }

        return (dump[..(int)decoder.Length], decoder, null);
    }
}

/// <summary>Header fields of tus, one a line.</summary>
public sealed class TusFields : FuzzTarget
{
    public override int MaximumLength => 512;

    public override IReadOnlyList<byte[]> Tokens =>
        [.. new[] { "sha256 ", "sha1 ", "9223372036854775807", "4611686018427387904", "=", "\n", "-", " " }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds =>
    [
        Encoding.ASCII.GetBytes("0\n123456789\nsha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nsha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=\n"),
    ];

    public override void Run(ReadOnlySpan<byte> input)
    {
        foreach (string field in Encoding.Latin1.GetString(input).Split('\n'))
        {
            if (TusHeaders.TryReadNumber(field, out long number))
                Require(number >= 0 && (number.ToString() == field || field.StartsWith('0')), "a number is what stands there");
            if (TusHeaders.TryReadChecksum(field, out ChecksumKind kind, out byte[] digest))
                Require(field.StartsWith(kind == ChecksumKind.Sha1 ? "sha1 " : "sha256 ", StringComparison.Ordinal) && digest.Length == (kind == ChecksumKind.Sha1 ? 20 : 32), "a digest has its length");
        }
    }
}

/// <summary>The first bytes of a report.json, and an upload.json.</summary>
public sealed class StoredCrashFiles : FuzzTarget
{
    private readonly CrashDirectory _directory = new(Directory.CreateTempSubdirectory("netdump-fuzz-upload-").FullName);

    public StoredCrashFiles() => AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(_directory.Path, recursive: true);

    public override int MaximumLength => 1024;

    public override double Share => 0.25; // each is two files

    public override IReadOnlyList<byte[]> Tokens =>
        [.. new[] { "\"title\":", "\"signature\":{", "\"id\":\"", "\"announcement\":{", "null", "{}", "[]", "\"format\":1", "\"vmcore\":\"complete\"" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds =>
    [
        Encoding.ASCII.GetBytes("{\"schema\":1,\"verdict\":{\"kind\":\"bug\"},\"title\":\"a title\",\"signature\":{\"version\":1,\"id\":\"0123456789abcdef\"},\"host\":{}}"),
        Encoding.ASCII.GetBytes(
            "{\"format\":1,\"host\":\"h\",\"key\":\"SHA256:x\",\"address\":\"::1\",\"started\":\"2026-11-25T00:00:00Z\",\"announcement\":{\"title\":\"t\"},\"wanted\":\"none\",\"vmcore\":\"none\"}"),
    ];

    public override bool IsExpected(Exception exception) => exception is InvalidDataException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        File.WriteAllBytes(_directory.File(StoredReport.FileName), input);
        _ = StoredReport.Read(_directory);
        File.WriteAllBytes(_directory.File(UploadRecord.FileName), input);
        if (UploadRecord.Read(_directory) is { } record)
            Require(record is { Host: not null, Key: not null, Address: not null, Announcement: not null }, "what has to be there is");
    }
}

/// <summary>The journal of an upload: what is torn or false is cut off, and it goes on behind what is whole.</summary>
public sealed class UploadJournals : FuzzTarget
{
    private readonly CrashDirectory _directory = new(Directory.CreateTempSubdirectory("netdump-fuzz-journal-").FullName);

    public UploadJournals() => AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(_directory.Path, recursive: true);

    public override int MaximumLength => 8 * UploadJournal.RecordLength;

    public override double Share => 0.1; // each is synced

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            File.Delete(_directory.File(UploadJournal.FileName));
            using (UploadJournal journal = UploadJournal.Open(_directory, out FlattenedDecoder decoder))
            {
                for (int i = 0; i < 3; i++)
                {
                    ReadOnlySpan<byte> bytes = new byte[1000];
                    while (decoder.TryNext(ref bytes, long.MaxValue, out _, out _))
                        continue;
                    journal.Append(decoder, new byte[32]);
                }
            }

            yield return File.ReadAllBytes(_directory.File(UploadJournal.FileName));
        }
    }

    public override void Run(ReadOnlySpan<byte> input)
    {
        File.WriteAllBytes(_directory.File(UploadJournal.FileName), input);
        int count;
        using (UploadJournal journal = UploadJournal.Open(_directory, out FlattenedDecoder decoder))
        {
            count = journal.Count;
            Require(count <= input.Length / UploadJournal.RecordLength, "no more records than there are");
            journal.Append(decoder, []);
        }

        using UploadJournal again = UploadJournal.Open(_directory, out _);
        Require(again.Count == count + 1, "what was appended is there");
    }
}
