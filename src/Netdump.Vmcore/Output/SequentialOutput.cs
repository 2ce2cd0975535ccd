namespace Netdump.Vmcore.Output;

/// <summary>Gathers what is written one piece behind the other, and hands it on in large writes that end at whole blocks. For one thread.</summary>
internal sealed class SequentialOutput
{
    /// <summary>Bytes of a block: a write that fills a part of one costs the file system as much as a whole one.</summary>
    private const int Block = 4096;

    private readonly DumpOutput _output;
    private readonly byte[] _gathered;
    private long _at;
    private int _start;
    private int _end;

    /// <summary>Begins to write at a position.</summary>
    /// <param name="output">Where to; stays the caller's.</param>
    /// <param name="offset">Position in the dump of the first byte.</param>
    /// <param name="capacity">Bytes that are gathered at most; a multiple of 4096.</param>
    public SequentialOutput(DumpOutput output, long offset, int capacity)
    {
        _output = output;
        _gathered = GC.AllocateUninitializedArray<byte>(capacity);
        _at = offset;
        _start = _end = (int)(offset % Block);
    }

    /// <summary>Bytes that can be appended before a write becomes necessary.</summary>
    public int Room => _gathered.Length - _end;

    /// <summary>Takes bytes; writes when there is no room for them.</summary>
    /// <exception cref="IOException">The disk is full or failed, or the pipe was closed.</exception>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (Room == 0)
                Flush();
            var part = bytes[..Math.Min(bytes.Length, Room)];
            part.CopyTo(_gathered.AsSpan(_end));
            _end += part.Length;
            bytes = bytes[part.Length..];
        }
    }

    /// <summary>Writes all that was appended.</summary>
    /// <exception cref="IOException">The disk is full or failed, or the pipe was closed.</exception>
    public void Flush()
    {
        if (_end == _start)
            return;
        _output.Write(_at, _gathered.AsSpan(_start, _end - _start));
        _at += _end - _start;
        _start = _end = (int)(_at % Block);
    }
}
