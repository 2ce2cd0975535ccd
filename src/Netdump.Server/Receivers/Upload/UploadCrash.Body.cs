using System.Runtime.CompilerServices;
using Netdump.Server.Store;
using Netdump.Vmcore;

namespace Netdump.Server.Receivers.Upload;

/// <content>The bytes of one PATCH on their way to the disk: a block with its digest, or as they come.</content>
internal sealed partial class UploadCrash
{
    // Without digests there is no end of a block: so much at most is received again after the server was killed.
    private const long KeepEvery = 16 << 20;
    private static readonly TimeSpan MemoryPatience = TimeSpan.FromSeconds(30);

    private async Task ReceiveBlockAsync(VmcoreUpload vmcore, UploadBody body, long most, ChecksumKind kind, byte[] digest)
    {
        using BlockMemory.Lease block = await RentAsync(Math.Max(1, Math.Min(body.Length ?? most, most)), body);
        bool isAhead = true; // a piece that has to wait lets all behind it wait
        await using PieceDigest hash = new(TusHeaders.HashOf(kind)!, async piece => isAhead = isAhead && await TryWriteAheadAsync(vmcore, piece));
        while (true)
        {
            Memory<byte> next = block.Next;
            if (next.IsEmpty)
            {
                if (await ReadAsync(body, new byte[1]) != 0)
                    throw Refusal.TooLarge($"a block has at most {most} bytes here");
                break;
            }

            int count = await ReadAsync(body, next);
            if (count == 0)
                break;
            block.Advance(count);
            if (count == next.Length)
                hash.Add(block.Last);
        }

        if (block.Last.Count < BlockMemory.PieceLength)
            hash.Add(block.Last);
        if (!(await hash.CompleteAsync()).AsSpan().SequenceEqual(digest))
            throw Refusal.WrongDigest("the block is not what its digest says");
        IReadOnlyList<ArraySegment<byte>> rest = Behind(block.Filled, vmcore.Unkept);
        if (rest.Count > 0)
            await CheckSpaceAsync(SpaceOf(vmcore, rest));
        await OnDiskAsync(() =>
        {
            foreach (ArraySegment<byte> part in rest)
                vmcore.Write(part);
            vmcore.Keep(kind == ChecksumKind.Sha256 ? digest : []);
        });
    }

    /// <summary>The parts of a block behind those that make up its first bytes.</summary>
    private static IReadOnlyList<ArraySegment<byte>> Behind(IReadOnlyList<ArraySegment<byte>> parts, long written) =>
        [.. parts.SkipWhile(part => (written -= part.Count) >= 0)];

    /// <summary>
    /// Writes a piece of a block before the block's digest is known, where it overwrites nothing and there is room: then only the last of the block
    /// is waited for. False for one that has to wait; why, is told when it is written at last.
    /// </summary>
    private async Task<bool> TryWriteAheadAsync(VmcoreUpload vmcore, ArraySegment<byte> piece)
    {
        await _context.Syncs.WaitAsync();
        try
        {
            bool hasRoom = !_context.Options.Current.SpaceCheck || _context.FreeSpace(Directory.Path) >= (2L * piece.Count) + UploadContext.Reserve;
            return hasRoom && vmcore.TryWriteAhead(piece);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or VmcoreFormatException)
        {
            return false;
        }
        finally
        {
            _context.Syncs.Release();
        }
    }

    private async Task ReceiveAsync(VmcoreUpload vmcore, UploadBody body, long most)
    {
        using BlockMemory.Lease room = await RentAsync(BlockMemory.PieceLength, body);
        try
        {
            for (long left = most; ;)
            {
                Memory<byte> next = room.Next;
                int count = await ReadAsync(body, next);
                if (count == 0)
                    break;
                if (count > left)
                    throw Refusal.TooLarge("more bytes than were declared");
                left -= count;
                WriteUnderstood(vmcore, next.Span[..count]);
                if (vmcore.Unkept < KeepEvery)
                    continue;
                await OnDiskAsync(() => vmcore.Keep([]));
                Volatile.Write(ref _offset, vmcore.Offset);
                ShowProgress();
                await CheckSpaceAsync(KeepEvery);
            }
        }
        finally
        {
            // However it ends, what came is kept.
            await OnDiskAsync(() => vmcore.Keep([]));
        }
    }

    // What the stream says of itself may be nonsense.
    private static long SpaceOf(VmcoreUpload vmcore, IReadOnlyList<ArraySegment<byte>> block)
    {
        try
        {
            return vmcore.Try(block);
        }
        catch (VmcoreFormatException e)
        {
            throw Refusal.BadMessage(e.Message);
        }
    }

    private void WriteUnderstood(VmcoreUpload vmcore, ReadOnlySpan<byte> bytes)
    {
        try
        {
            vmcore.Write(bytes);
        }
        catch (VmcoreFormatException e)
        {
            throw Refusal.BadMessage(e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw DiskFailure(e);
        }
    }

    private async Task OnDiskAsync(Action work)
    {
        await _context.Syncs.WaitAsync();
        try
        {
            await Task.Run(() => OnDisk(work));
        }
        finally
        {
            _context.Syncs.Release();
        }
    }

    private async Task<BlockMemory.Lease> RentAsync(long bytes, UploadBody body)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(body.Gone);
        patience.CancelAfter(MemoryPatience);
        try
        {
            return await _context.Memory.RentAsync(bytes, patience.Token);
        }
        catch (OperationCanceledException) when (!body.Gone.IsCancellationRequested)
        {
            throw Refusal.Busy("too many uploads at once", 10);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<int> ReadAsync(UploadBody body, Memory<byte> buffer)
    {
        try
        {
            return await body.ReadAsync(buffer);
        }
        catch (OperationCanceledException) when (body.Why is not null)
        {
            throw body.Why;
        }
    }
}
