using System.Buffers;

namespace Netdump.Protocols.NetConsole;

/// <summary>What all streams of one thread share: memory for what waits, room to unescape, counters. Not thread-safe.</summary>
public sealed class ConsoleWorkspace
{
    /// <summary>A workspace with the usual bounds of memory.</summary>
    public ConsoleWorkspace()
        : this(new WindowPool())
    {
    }

    /// <summary>A workspace whose streams wait in the memory of <paramref name="windows"/>.</summary>
    public ConsoleWorkspace(WindowPool windows) => Windows = windows;

    /// <summary>Memory for records under assembly.</summary>
    public FragmentPool Fragments { get; } = new();

    /// <summary>Memory for records that wait for those before them.</summary>
    public WindowPool Windows { get; }

    /// <summary>Records and datagrams dropped because they had come before.</summary>
    public long Duplicates { get; internal set; }

    /// <summary>Records delivered after one with a higher number: their turn had passed.</summary>
    public long LateRecords { get; internal set; }

    /// <summary>Records that certainly left their sender and never came: it counts what it sends.</summary>
    public long LostRecords { get; internal set; }

    /// <summary>Numbers that never came, lost or never sent: a sender leaves out what is above its loglevel.</summary>
    public long AbsentRecords { get; internal set; }

    /// <summary>Pieces dropped because no sender can mean them.</summary>
    public long InvalidFragments { get; internal set; }

    /// <summary>Pieces that disagreed with bytes already received.</summary>
    public long ConflictingFragments { get; internal set; }

    /// <summary>Records delivered with holes.</summary>
    public long PartialRecords { get; internal set; }

    internal ArrayBufferWriter<byte> Marker { get; } = new();

    internal byte[] Unescaped { get; } = new byte[ExtendedRecord.MaximumBody];
}
