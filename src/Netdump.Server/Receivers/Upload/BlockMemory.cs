namespace Netdump.Server.Receivers.Upload;

/// <summary>
/// The memory that blocks are held in until their digest is known to be right: pieces that are used again, so many in all. Whoever finds too few
/// waits, in order of arrival, and reads nothing meanwhile: the clients feel it. Thread-safe.
/// </summary>
internal sealed class BlockMemory
{
    /// <summary>Bytes of a piece.</summary>
    public const int PieceLength = 1 << 20;

    private readonly Lock _lock = new();
    private readonly Stack<byte[]> _pieces = new();
    private readonly LinkedList<Waiter> _waiting = new();
    private int _free;

    /// <summary>Memory of so many bytes at most.</summary>
    public BlockMemory(long bytes) => _free = (int)(bytes / PieceLength);

    /// <summary>Takes room for a block. Throws <see cref="OperationCanceledException"/>.</summary>
    /// <param name="bytes">How long it can become.</param>
    /// <param name="cancel">Ends the wait.</param>
    public async ValueTask<Lease> RentAsync(long bytes, CancellationToken cancel)
    {
        int count = (int)((bytes + PieceLength - 1) / PieceLength);
        LinkedListNode<Waiter> node;
        lock (_lock)
        {
            if (_waiting.Count == 0 && count <= _free)
                return Take(count);
            node = _waiting.AddLast(new Waiter(count));
        }

        await using (cancel.UnsafeRegister(_ => GiveUp(node, cancel), null))
            return await node.Value.Ready.Task;
    }

    private Lease Take(int count)
    {
        _free -= count;
        return new Lease(this, count);
    }

    private void GiveUp(LinkedListNode<Waiter> node, CancellationToken cancel)
    {
        lock (_lock)
        {
            if (node.List is null)
                return; // it has its room
            _waiting.Remove(node);
            node.Value.Ready.TrySetCanceled(cancel);
            Serve(); // one that asked for less may have waited behind it
        }
    }

    private byte[] Piece()
    {
        lock (_lock)
        {
            if (_pieces.TryPop(out byte[]? piece))
                return piece;
        }

        return GC.AllocateUninitializedArray<byte>(PieceLength);
    }

    private void Return(List<byte[]> pieces, int count)
    {
        lock (_lock)
        {
            foreach (byte[] piece in pieces)
                _pieces.Push(piece);
            _free += count;
            Serve();
        }
    }

    private void Serve()
    {
        while (_waiting.First is { } first && first.Value.Count <= _free)
        {
            _waiting.RemoveFirst();
            first.Value.Ready.TrySetResult(Take(first.Value.Count));
        }
    }

    /// <summary>Room for one block; its pieces are taken as they are filled.</summary>
    internal sealed class Lease(BlockMemory memory, int count) : IDisposable
    {
        private readonly List<byte[]> _pieces = [];
        private int _used; // of the last piece
        private bool _isBack;

        /// <summary>Where the next bytes go; empty when the room is used up.</summary>
        public Memory<byte> Next
        {
            get
            {
                if (_pieces.Count == 0 || _used == PieceLength)
                {
                    if (_pieces.Count == count)
                        return default;
                    _pieces.Add(memory.Piece());
                    _used = 0;
                }

                return _pieces[^1].AsMemory(_used);
            }
        }

        /// <summary>The bytes so far.</summary>
        public IReadOnlyList<ArraySegment<byte>> Filled =>
            [.. _pieces.Select((piece, i) => new ArraySegment<byte>(piece, 0, i == _pieces.Count - 1 ? _used : PieceLength))];

        /// <summary>The piece that is being filled, as far as it is.</summary>
        public ArraySegment<byte> Last => new(_pieces[^1], 0, _used);

        /// <summary>So many bytes were put at <see cref="Next"/>.</summary>
        public void Advance(int bytes) => _used += bytes;

        /// <summary>Empties it.</summary>
        public void Clear()
        {
            if (_pieces.Count > 1)
                throw new InvalidOperationException("only a lease of one piece is filled again");
            _used = 0;
        }

        /// <summary>Gives the room back.</summary>
        public void Dispose()
        {
            if (_isBack)
                return;
            _isBack = true;
            memory.Return(_pieces, count);
        }
    }

    private sealed class Waiter(int count)
    {
        public int Count => count;

        public TaskCompletionSource<Lease> Ready { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
