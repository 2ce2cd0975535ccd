using System.Text;
using Netdump.Protocols.NetConsole;
using Netdump.Vmcore;
using Netdump.Vmcore.Log;

namespace Netdump.Client.Send;

/// <summary>The dead kernel's log as something to be sent. A dump without one is still worth sending, so trouble is told and never thrown.</summary>
/// <param name="file">The dump; stays the caller's.</param>
internal sealed class DeadLog(VmcoreFile file)
{
    private const byte ContinuationFlag = 8; // LOG_CONT

    /// <summary>Why the log cannot be read, in a few words; null when it can (known after <see cref="Read"/>).</summary>
    public string? Trouble { get; private set; }

    /// <summary>Goes through the log, oldest record first, in little memory. Nothing comes when it cannot be found.</summary>
    public IEnumerable<LogRecord> Read()
    {
        using IEnumerator<LogRecord>? records = Open();
        while (records is not null)
        {
            try
            {
                if (!records.MoveNext()) yield break;
            }
            catch (IOException failure)
            {
                Trouble = failure.Message;
                yield break;
            }
            // A record without its text is a gap in the numbers: the server marks those.
            if (records.Current.Damage != RecordDamage.Lost) yield return records.Current;
        }
    }

    /// <summary>Begins a record of the log as an extended one, dictionary included.</summary>
    public static void Begin(ExtendedRecordWriter writer, in LogRecord record)
    {
        byte flag = (record.Flags & ContinuationFlag) != 0 ? (byte)'c' : (byte)'-';
        writer.Begin((record.Facility << 3) | record.Level, record.Sequence, record.Nanoseconds / 1000, record.Text.Span, flag);
        if (record.Subsystem is not null) writer.AddDictionary("SUBSYSTEM"u8, Encoding.UTF8.GetBytes(record.Subsystem));
        if (record.Device is not null) writer.AddDictionary("DEVICE"u8, Encoding.UTF8.GetBytes(record.Device));
    }

    private IEnumerator<LogRecord>? Open()
    {
        try
        {
            return file.OpenLog().Records().GetEnumerator();
        }
        catch (Exception failure) when (failure is VmcoreFormatException or IOException)
        {
            Trouble = failure.Message;
            return null;
        }
    }
}
