namespace Netdump.Protocols.NetConsole;

/// <summary>What a record's lines say about its sender, read in one pass.</summary>
internal readonly ref struct RecordIdentity
{
    /// <summary>Boot id (userdata <c>boot</c>), or empty.</summary>
    public ReadOnlySpan<byte> Boot { get; private init; }

    /// <summary>Name of the machine (userdata <c>machine</c>), or empty.</summary>
    public ReadOnlySpan<byte> Machine { get; private init; }

    /// <summary>Release of the kernel (the prefix, or sysdata <c>release</c>), or empty.</summary>
    public ReadOnlySpan<byte> Release { get; private init; }

    /// <summary>The sender's count of the records it sent (sysdata <c>msgid</c>, 32 bits); -1 when it does not count.</summary>
    public long MessageId { get; private init; }

    /// <summary>Whether the record is our capture client's own (userdata <c>NETDUMP=capture</c>).</summary>
    public bool IsCapture { get; private init; }

    /// <summary>Length of dictionary, userdata and sysdata.</summary>
    public int LinesLength { get; private init; }

    /// <summary>Reads a record; of one with holes nothing is believed but the mark of the capture client.</summary>
    public static RecordIdentity Read(in ExtendedRecord record, bool isWhole)
    {
        int newline = record.Body.IndexOf((byte)'\n');
        if (newline < 0 || newline + 1 == record.Body.Length)
            return new RecordIdentity { MessageId = -1, Release = isWhole ? record.Release : default };

        ReadOnlySpan<byte> boot = default, machine = default, release = record.Release;
        long messageId = -1;
        bool capture = false;
        RecordLines lines = new(record.Body[(newline + 1)..]);
        foreach (RecordLine line in lines)
        {
            if (line.Kind == RecordLineKind.UserData)
            {
                if (boot.IsEmpty && line.Key.SequenceEqual("boot"u8)) boot = line.Value;
                else if (machine.IsEmpty && line.Key.SequenceEqual("machine"u8)) machine = line.Value;
                else if (line.Key.SequenceEqual("NETDUMP"u8)) capture |= line.Value.SequenceEqual("capture"u8);
            }
            else if (line.Kind == RecordLineKind.SysData)
            {
                if (release.IsEmpty && line.Key.SequenceEqual("release"u8)) release = line.Value;
                else if (line.Key.SequenceEqual("msgid"u8) && ExtendedRecord.TryReadNumber(line.Value, out ulong id) && id <= uint.MaxValue)
                    messageId = (long)id;
            }
        }

        if (!isWhole) return new RecordIdentity { MessageId = -1, IsCapture = capture };
        return new RecordIdentity
        {
            Boot = boot,
            Machine = machine,
            Release = release,
            MessageId = messageId,
            IsCapture = capture,
            LinesLength = lines.Bytes.Length,
        };
    }
}
