using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Netdump.Server.Store;

/// <summary>
/// The file <c>.session</c> of a crash directory: what is known of a crash whose client was not sent away yet, so that another server
/// process goes on with it; and beside a <c>vmcore-incomplete</c> that nobody goes on with, what is in it. A header of 4 KiB (JSON, filled up
/// with line feeds); while memory is received and after it failed, two page maps behind it, each bit <c>pfn &amp; 7</c> of byte
/// <c>pfn / 8</c>, in whole blocks of 4 KiB.
/// </summary>
/// <remarks>
/// The first map is saved after each batch of datagrams, before more is asked: it names pages whose bytes were handed to the kernel, which
/// keeps them when the server process is killed. The second names those that were synced to the disk before, and is what counts after
/// the machine went down. Both may know less than vmcore-incomplete holds, never more. Blocks without a set bit stay holes of the file.
/// </remarks>
public sealed class SessionFile : IDisposable
{
    /// <summary>Name of the file in the crash directory.</summary>
    public const string FileName = ".session";

    /// <summary>Bytes of the header.</summary>
    public const int HeaderBytes = 4096;

    private const string FreshName = ".session.new";

    // A whole map of a large hole (2^32 pages: 131,072 blocks) must not hold up the engine thread: the rest follows with the next save.
    private const int BlocksPerSave = 512;

    private readonly FileStream _stream;
    private readonly long _mapBytes;

    private SessionFile(FileStream stream, ulong pageCount)
    {
        _stream = stream;
        _mapBytes = MapBytes(pageCount);
    }

    /// <summary>The boot of this machine, for <see cref="SessionHeader.Boot"/>.</summary>
    public static string CurrentBoot { get; } = ReadBoot();

    /// <summary>Writes the file of a crash without maps, in place of the one that is there. Durable when this returns.</summary>
    /// <param name="directory">Directory of the crash.</param>
    /// <param name="header">Who sends the dump and how far it is.</param>
    /// <exception cref="IOException">The disk refuses; what was there stays.</exception>
    public static void Write(CrashDirectory directory, SessionHeader header) => directory.Replace(FileName, Serialize(header));

    /// <summary>Makes the file of a dump whose memory is received, in place of the one that is there. Durable when this returns.</summary>
    /// <param name="directory">Directory of the crash.</param>
    /// <param name="header">Who sends the dump.</param>
    /// <param name="received">Pages that are accounted for already; null for none.</param>
    /// <param name="synced">Those of them that were synced.</param>
    /// <exception cref="IOException">The disk refuses; what was there stays.</exception>
    public static SessionFile Create(CrashDirectory directory, SessionHeader header, PageMap? received = null, PageMap? synced = null)
    {
        directory.Delete(FreshName);
        FileStream stream = directory.CreateFile(FreshName);
        try
        {
            var session = new SessionFile(stream, header.PageCount);
            RandomAccess.Write(stream.SafeFileHandle, Serialize(header), 0);
            RandomAccess.SetLength(stream.SafeFileHandle, HeaderBytes + 2 * session._mapBytes);
            session.WriteMap(received, HeaderBytes);
            session.WriteMap(synced, HeaderBytes + session._mapBytes);
            RandomAccess.FlushToDisk(stream.SafeFileHandle);
            File.Move(directory.File(FreshName), directory.File(FileName), overwrite: true);
            directory.Sync();
            return session;
        }
        catch
        {
            stream.Dispose();
            directory.Delete(FreshName);
            throw;
        }
    }

    /// <summary>Saves what changed of the first map, a bounded part of it.</summary>
    /// <param name="map">The map of this session.</param>
    /// <returns>False when more is left for the next call.</returns>
    /// <exception cref="IOException">The disk refuses.</exception>
    public bool Save(PageMap map)
    {
        for (int written = 0; written < BlocksPerSave; written++)
        {
            if (!map.Unsaved.TryTake(out int index))
                return true;
            RandomAccess.Write(_stream.SafeFileHandle, map.Block(index), HeaderBytes + (long)index * PageMap.BlockBytes);
        }

        return false;
    }

    /// <summary>Copies what changed since the last call, for <see cref="SaveSynced"/>: a bounded part of it.</summary>
    /// <param name="map">The map of this session.</param>
    public static IReadOnlyList<(int Index, byte[] Bits)> TakeUnsynced(PageMap map)
    {
        var blocks = new List<(int, byte[])>();
        while (blocks.Count < BlocksPerSave && map.Unsynced.TryTake(out int index))
            blocks.Add((index, map.Block(index).ToArray()));
        return blocks;
    }

    /// <summary>Saves to the second map. The pages must have been synced after the blocks were taken. From any thread.</summary>
    /// <param name="blocks">From <see cref="TakeUnsynced"/>.</param>
    /// <exception cref="IOException">The disk refuses.</exception>
    public void SaveSynced(IReadOnlyList<(int Index, byte[] Bits)> blocks)
    {
        foreach ((int index, byte[] bits) in blocks)
            RandomAccess.Write(_stream.SafeFileHandle, bits, HeaderBytes + _mapBytes + (long)index * PageMap.BlockBytes);
    }

    /// <summary>
    /// Nobody goes on with the crash by himself. With a vmcore-incomplete the file stays and says what is in it, else it is removed.
    /// Blocks on the disk.
    /// </summary>
    /// <param name="directory">Directory of the crash.</param>
    /// <exception cref="IOException">The disk refuses.</exception>
    /// <exception cref="InvalidDataException">The file is not one of ours.</exception>
    public static void End(CrashDirectory directory)
    {
        string path = directory.File(FileName);
        if (!File.Exists(path))
            return;
        if (!File.Exists(directory.File(VmcoreWriter.IncompleteName)))
        {
            directory.Delete(FileName);
            directory.Sync();
            return;
        }

        using (SafeFileHandle vmcore = File.OpenHandle(directory.File(VmcoreWriter.IncompleteName), FileMode.Open, FileAccess.ReadWrite))
            RandomAccess.FlushToDisk(vmcore);
        Read(path, out SessionHeader header, out PageMap received, out _);
        Create(directory, header with { State = SessionState.Ended, Boot = CurrentBoot }, received, received).Dispose();
    }

    /// <summary>Reads the header of a stored session.</summary>
    /// <param name="path">Path of the file.</param>
    /// <exception cref="InvalidDataException">The file is not one that this program wrote, or it is cut short.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SessionHeader ReadHeader(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
        return ReadHeader(path, file);
    }

    /// <summary>Reads a stored session back.</summary>
    /// <param name="path">Path of the file.</param>
    /// <param name="header">Who sent the dump.</param>
    /// <param name="received">The pages that are in vmcore-incomplete, as far as that is sure in this boot of the machine.</param>
    /// <param name="synced">Those that would be there after the machine went down now.</param>
    /// <exception cref="InvalidDataException">The file is not one that this program wrote, or it is cut short.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static void Read(string path, out SessionHeader header, out PageMap received, out PageMap synced)
    {
        using SafeFileHandle file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
        header = ReadHeader(path, file);
        long mapBytes = header.State is SessionState.Receiving or SessionState.Ended ? MapBytes(header.PageCount) : 0;
        if (RandomAccess.GetLength(file) != HeaderBytes + 2 * mapBytes)
            throw new InvalidDataException($"{path} does not have the length its header asks for");
        ulong pages = mapBytes == 0 ? 0 : header.PageCount;
        synced = ReadMap(path, file, pages, HeaderBytes + mapBytes);
        received = header.Boot == CurrentBoot && CurrentBoot.Length != 0 ? ReadMap(path, file, pages, HeaderBytes) : synced;
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _stream.Dispose();

    private static SessionHeader ReadHeader(string path, SafeFileHandle file)
    {
        var block = new byte[HeaderBytes];
        if (RandomAccess.Read(file, block, 0) != HeaderBytes)
            throw new InvalidDataException($"{path} is shorter than its header");
        return Parse(path, block);
    }

    private static PageMap ReadMap(string path, SafeFileHandle file, ulong pageCount, long offset)
    {
        var map = new PageMap(pageCount);
        var block = new byte[PageMap.BlockBytes];
        for (int index = 0; index < map.BlockCount; index++)
        {
            if (RandomAccess.Read(file, block, offset + (long)index * PageMap.BlockBytes) != PageMap.BlockBytes)
                throw new InvalidDataException($"{path} ends inside its map");
            if (block.AsSpan().ContainsAnyExcept((byte)0))
                map.Load(index, block);
        }

        return map;
    }

    private void WriteMap(PageMap? map, long offset)
    {
        for (int index = 0; index < (map?.BlockCount ?? 0); index++)
        {
            ReadOnlySpan<byte> bits = map!.Block(index);
            if (bits.ContainsAnyExcept((byte)0))
                RandomAccess.Write(_stream.SafeFileHandle, bits, offset + (long)index * PageMap.BlockBytes);
        }
    }

    private static byte[] Serialize(SessionHeader header)
    {
        var bytes = new byte[HeaderBytes];
        bytes.AsSpan().Fill((byte)'\n');
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header, SessionJson.Default.SessionHeader);
        if (json.Length > HeaderBytes)
            throw new ArgumentException($"the session's header takes {json.Length} bytes", nameof(header));
        json.CopyTo(bytes, 0);
        return bytes;
    }

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

        if (header is not { Format: 2 } || header.PageCount > PageMap.MaximumPageCount || header.Address is null || header.Boot is null
            || header.Port is < 0 or > ushort.MaxValue || header.HeaderBytes is < 0 or > int.MaxValue || !IsMagic(header.Magic))
            throw new InvalidDataException($"{path} has a header of another kind");
        return header;
    }

    private static bool IsMagic(string? magic) => magic is null || (magic.Length == 16 && magic.All(char.IsAsciiHexDigit));

    private static long MapBytes(ulong pageCount) =>
        (long)((pageCount + PageMap.PagesPerBlock - 1) / PageMap.PagesPerBlock) * PageMap.BlockBytes;

    private static string ReadBoot()
    {
        try
        {
            return File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ""; // every start counts as another boot: only what was synced is believed
        }
    }
}
