using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Netdump.Server.Store;

/// <summary>
/// The file <c>.session</c> of a crash directory: what is known of a dump that is still being received, so that it can be resumed.
/// A header of 4 KiB (JSON, filled up with line feeds), then the page map, bit <c>pfn &amp; 7</c> of byte <c>pfn / 8</c>.
/// </summary>
/// <remarks>
/// A page is named by the map only after its bytes were handed to the kernel: <see cref="Save"/> writes a map whose bits are set
/// after the page's pwrite has returned. Blocks without a set bit stay holes of the file.
/// </remarks>
public sealed class SessionFile : IDisposable
{
    /// <summary>Name of the file in the crash directory.</summary>
    public const string FileName = ".session";

    /// <summary>Bytes of the header.</summary>
    public const int HeaderBytes = 4096;

    // A whole map of a large hole (2^32 pages: 131,072 blocks) must not hold up the engine thread: the rest follows with the next save.
    private const int BlocksPerSave = 512;

    private readonly FileStream _stream;

    private SessionFile(FileStream stream) => _stream = stream;

    /// <summary>Creates the file with mode 0600 and writes its header.</summary>
    /// <param name="directory">Directory of the crash.</param>
    /// <param name="header">Who sends the dump.</param>
    /// <exception cref="IOException">The file exists, or the disk refuses.</exception>
    public static SessionFile Create(CrashDirectory directory, SessionHeader header)
    {
        var bytes = new byte[HeaderBytes];
        bytes.AsSpan().Fill((byte)'\n');
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header, SessionJson.Default.SessionHeader);
        if (json.Length > HeaderBytes)
            throw new ArgumentException($"the session's header takes {json.Length} bytes", nameof(header));
        json.CopyTo(bytes, 0);
        FileStream stream = directory.CreateFile(FileName);
        try
        {
            RandomAccess.Write(stream.SafeFileHandle, bytes, 0);
            RandomAccess.SetLength(stream.SafeFileHandle, HeaderBytes + MapBytes(header.PageCount));
            return new SessionFile(stream);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Writes the blocks of the map that changed since the last save, a bounded number of them.</summary>
    /// <param name="map">The map of this session.</param>
    /// <exception cref="IOException">The disk refuses.</exception>
    public void Save(PageMap map)
    {
        int from = 0;
        for (int written = 0; written < BlocksPerSave && map.TryTakeDirty(from, out int index); written++)
        {
            RandomAccess.Write(_stream.SafeFileHandle, map.Block(index), HeaderBytes + (long)index * PageMap.BlockBytes);
            from = index + 1;
        }
    }

    /// <summary>Reads a stored session back.</summary>
    /// <param name="path">Path of the file.</param>
    /// <param name="header">Who sent the dump.</param>
    /// <param name="map">The pages that were accounted for at the last save.</param>
    /// <exception cref="InvalidDataException">The file is not one that this program wrote, or it is cut short.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static void Read(string path, out SessionHeader header, out PageMap map)
    {
        using SafeFileHandle file = File.OpenHandle(path);
        var block = new byte[HeaderBytes];
        if (RandomAccess.Read(file, block, 0) != HeaderBytes)
            throw new InvalidDataException($"{path} is shorter than its header");
        header = Parse(path, block);
        if (RandomAccess.GetLength(file) != HeaderBytes + MapBytes(header.PageCount))
            throw new InvalidDataException($"{path} does not have the length its header asks for");
        map = new PageMap(header.PageCount);
        for (int index = 0; index < map.BlockCount; index++)
        {
            if (RandomAccess.Read(file, block, HeaderBytes + (long)index * PageMap.BlockBytes) != PageMap.BlockBytes)
                throw new InvalidDataException($"{path} ends inside its map");
            map.Load(index, block);
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _stream.Dispose();

    private static SessionHeader Parse(string path, ReadOnlySpan<byte> bytes)
    {
        SessionHeader? header;
        try
        {
            header = JsonSerializer.Deserialize(bytes, SessionJson.Default.SessionHeader);
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path} has no readable header", error);
        }

        if (header is not { Format: 1 } || header.PageCount > PageMap.MaximumPageCount || header.Address is null)
            throw new InvalidDataException($"{path} has a header of another kind");
        return header;
    }

    private static long MapBytes(ulong pageCount) =>
        (long)((pageCount + PageMap.PagesPerBlock - 1) / PageMap.PagesPerBlock) * PageMap.BlockBytes;
}
