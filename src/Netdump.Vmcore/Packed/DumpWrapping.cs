using Microsoft.Win32.SafeHandles;
using Netdump.Vmcore.Flattened;

namespace Netdump.Vmcore.Packed;

/// <summary>What was around a dump.</summary>
/// <param name="Packing">How the file was packed.</param>
/// <param name="IsFlattened">Whether the dump was flattened.</param>
/// <param name="IsWhole">Whether packed data and flattened stream came to their end.</param>
public readonly record struct DumpWrapping(Packing Packing, bool IsFlattened, bool IsWhole)
{
    private const int Sniffed = 16;

    /// <summary>Opens a file, a pipe or standard input (<c>-</c>), and takes off what is around the dump in it, judged by its content.</summary>
    /// <exception cref="VmcoreFormatException">The packed data or the flattened stream are corrupt.</exception>
    /// <exception cref="IOException">It cannot be opened or read, or there is no room to unpack it; also <see cref="UnauthorizedAccessException"/>.</exception>
    internal static (DumpBytes Bytes, DumpWrapping Wrapping) Open(string path, Action<UnpackProgress>? progress)
    {
        if (path == "-")
            return Receive(new FileStream(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, 0), "standard input", progress);
        var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        if (!IsSeekable(handle))
            return Receive(new FileStream(handle, FileAccess.Read, 0), path, progress);
        var file = FileBytes.Own(handle, path);
        try
        {
            Span<byte> start = stackalloc byte[Sniffed];
            var packing = PackedStreams.PackingOf(start[..file.Read(0, start)]);
            if (packing == Packing.None)
                return Unflatten(file, packing, isWhole: true);
            // The stream closes the packed file: only what was in it is needed from here.
            using var packed = new PeekedStream(new FileStream(handle, FileAccess.Read, 0), 0);
            var (unpacked, isWhole) = Spool.Unpack(packing, packed, path, file.Length, progress);
            return Unflatten(unpacked, packing, isWhole);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static (DumpBytes Bytes, DumpWrapping Wrapping) Receive(Stream stream, string name, Action<UnpackProgress>? progress)
    {
        using var peeked = new PeekedStream(stream, Sniffed);
        var packing = PackedStreams.PackingOf(peeked.Start);
        if (packing == Packing.None && FlattenedBytes.IsFlattened(peeked.Start))
        {
            var (arranged, hasEnd) = Spool.Arrange(peeked, name, progress);
            return (arranged, new DumpWrapping(packing, IsFlattened: true, hasEnd));
        }
        var (received, isWhole) = Spool.Unpack(packing, peeked, name, null, progress);
        return Unflatten(received, packing, isWhole);
    }

    private static (DumpBytes Bytes, DumpWrapping Wrapping) Unflatten(FileBytes file, Packing packing, bool isWhole)
    {
        try
        {
            Span<byte> start = stackalloc byte[Sniffed];
            if (!FlattenedBytes.IsFlattened(start[..file.Read(0, start)]))
                return (file, new DumpWrapping(packing, IsFlattened: false, isWhole));
            var flattened = FlattenedBytes.Open(file);
            return (flattened, new DumpWrapping(packing, IsFlattened: true, isWhole && flattened.IsWhole));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static bool IsSeekable(SafeFileHandle handle)
    {
        try
        {
            return RandomAccess.GetLength(handle) >= 0;
        }
        catch (NotSupportedException)
        {
            return false;
        }
    }
}
