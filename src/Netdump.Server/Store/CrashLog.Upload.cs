using System.Buffers;
using Netdump.Protocols.NetConsole;

namespace Netdump.Server.Store;

/// <content>
/// What a client uploads as a whole: the dead kernel's log and its list of tasks. It is read out of the files it was kept in, and not journaled
/// again: who opens the log anew gives it again.
/// </content>
public sealed partial class CrashLog
{
    private const int LongestLine = 128 << 10;

    /// <summary>Extended records as /dev/kmsg gives them, a line each; lines that begin with a blank are a record's dictionary.</summary>
    internal void TakeRecords(Stream records, TimeSpan now)
    {
        byte[] text = ArrayPool<byte>.Shared.Rent(LongestLine);
        EachLine(records, line =>
        {
            if (line.StartsWith(" "u8))
                return;
            if (!ExtendedRecord.TryParse(line, out ExtendedRecord record))
            {
                _text.AddLine(line, 0);
                return;
            }

            int length = EscapedText.Unescape(record.EscapedText, text);
            _text.AddRecord(RecordOrigin.DeadKernel, record.Sequence, record.Microseconds, text.AsSpan(0, length), partial: false);
        });
        ArrayPool<byte>.Shared.Return(text);
        Changed(now);
    }

    /// <summary>A log in text, as dmesg prints it: what the console had said in the same words is not said twice.</summary>
    internal void TakeText(Stream text, TimeSpan now)
    {
        EachLine(text, line => _text.AddLine(line, 0));
        Changed(now);
    }

    /// <summary>The list of tasks, which ends the log; byte-exact.</summary>
    internal void TakeTasks(Stream text, TimeSpan now)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(LongestLine);
        for (int count; (count = text.Read(buffer)) > 0;)
            _text.AddSession(buffer.AsSpan(0, count), isLoss: false);
        ArrayPool<byte>.Shared.Return(buffer);
        Changed(now);
    }

    private void Changed(TimeSpan now)
    {
        _dirty = true;
        Schedule(now);
    }

    // Lines without their newline; one that is longer than any record comes in parts.
    private static void EachLine(Stream stream, TakeLine take)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(LongestLine);
        int held = 0;
        for (int count; (count = stream.Read(buffer, held, LongestLine - held)) > 0;)
        {
            ReadOnlySpan<byte> rest = buffer.AsSpan(0, held + count);
            for (int end; (end = rest.IndexOf((byte)'\n')) >= 0; rest = rest[(end + 1)..])
                take(rest[..end].TrimEnd((byte)'\r'));
            if (rest.Length == LongestLine)
            {
                take(rest);
                rest = default;
            }

            rest.CopyTo(buffer);
            held = rest.Length;
        }

        if (held > 0)
            take(buffer.AsSpan(0, held));
        ArrayPool<byte>.Shared.Return(buffer);
    }

    private delegate void TakeLine(ReadOnlySpan<byte> line);
}
