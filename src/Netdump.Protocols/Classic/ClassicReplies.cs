namespace Netdump.Protocols.Classic;

/// <summary>Replies of a client session that wait to be sent, kept as facts and rendered when they are taken.</summary>
internal sealed class ClassicReplies
{
    /// <summary>Argument of an ERROR about a header or bitmap chunk behind the end.</summary>
    public const ulong NoSuchChunk = ulong.MaxValue;

    private readonly ClassicClientOptions _options;
    private readonly ClassicStart _start;
    private readonly uint _pageCount;
    private readonly Pending[] _pending;
    private readonly byte[] _stale = new byte[ClassicText.MaximumLength];
    private int _staleLength;
    private int _head;
    private int _count;

    public ClassicReplies(ClassicClientOptions options, in ClassicStart start, uint pageCount, int capacity)
    {
        if (options.Registers.Length > ClassicMachine.MaximumRegisters)
            throw new ArgumentException($"{options.Registers.Length} bytes of registers are more than any machine has", nameof(options));
        _options = options;
        _start = start;
        _pageCount = pageCount;
        _pending = new Pending[capacity];
    }

    private readonly record struct Pending(ClassicReplyHeader Header, ulong Argument);

    public void Add(ClassicReplyCode code, byte version, uint number, uint info, ulong argument = 0)
    {
        if (_count == _pending.Length)
            return;
        int tail = (_head + _count) % _pending.Length;
        _pending[tail] = new Pending(code == ClassicReplyCode.Start ? _start.Header : new ClassicReplyHeader(version, number, code, info), argument);
        _count++;
    }

    public bool TryTake(Span<byte> destination, out int length)
    {
        length = 0;
        if (_count == 0)
            return false;
        Pending pending = _pending[_head];
        _head = (_head + 1) % _pending.Length;
        _count--;
        pending.Header.Write(destination);
        length = ClassicReplyHeader.Size + WritePayload(destination[ClassicReplyHeader.Size..], pending);
        return true;
    }

    private int WritePayload(Span<byte> destination, in Pending pending)
    {
        switch (pending.Header.Code)
        {
            case ClassicReplyCode.Start:
                return _start.WritePayload(destination);
            case ClassicReplyCode.Reserved:
                return 0;
            case ClassicReplyCode.Memory: // the map of left-out pages: none is
                destination[..ClassicReplyHeader.ChunkSize].Clear();
                return ClassicReplyHeader.ChunkSize;
            case ClassicReplyCode.Registers:
                ClassicText.Registers.CopyTo(destination);
                Remember(ClassicText.Registers);
                _options.Registers.Span.CopyTo(destination[ClassicText.Registers.Length..]);
                return ClassicText.Registers.Length + _options.Registers.Length;
            case ClassicReplyCode.ShowState: // originals send what an earlier reply left in their buffer
                if (_options.Profile == ClassicClientProfile.Netdump)
                    return 0;
                _stale.AsSpan(0, _staleLength).CopyTo(destination);
                return _staleLength;
        }

        int length = pending.Header.Code switch
        {
            ClassicReplyCode.Hello => Copy(ClassicText.Hello, destination),
            ClassicReplyCode.End => Copy(ClassicText.End, destination),
            ClassicReplyCode.PageCount => ClassicText.WritePageCount(destination, pending.Header.Info),
            ClassicReplyCode.PageSize => ClassicText.WritePageSize(destination, pending.Header.Info),
            _ when pending.Argument == NoSuchChunk => Copy("no such chunk\n"u8, destination),
            _ when pending.Header.Info != 0 => ClassicText.WriteUnknownCommand(destination, pending.Header.Info),
            _ => ClassicText.WritePageTooBig(destination, (uint)pending.Argument, _pageCount),
        };
        Remember(destination[..length]);
        return length;
    }

    private static int Copy(ReadOnlySpan<byte> text, Span<byte> destination)
    {
        text.CopyTo(destination);
        return text.Length;
    }

    private void Remember(ReadOnlySpan<byte> text)
    {
        text.CopyTo(_stale);
        _staleLength = text.Length;
    }
}
