using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Netdump.Client.Linux;
using Netdump.Protocols.Upload;
using Netdump.Vmcore;
using Netdump.Vmcore.Output;

namespace Netdump.Client.Spool;

/// <summary>
/// A block device that keeps one dump no server took. It is ours by its first block alone, which <c>netdump spool init</c> wrote on an empty device:
/// nothing is ever written to one without it. The block: 16 bytes of text, a random identity, the device's size, the dump's length (0: empty), the
/// length of the announcement and the announcement as JSON, at its end SHA-256 of all before. Numbers are little-endian. The dump begins at 1 MiB.
/// </summary>
internal sealed class SpoolDevice : IDisposable
{
    /// <summary>Least size of a device: less holds no dump.</summary>
    public const long LeastSize = 32L << 20;

    private const int HeaderSize = 4096, DigestAt = HeaderSize - 32, JsonAt = 52;
    private const long DumpAt = 1 << 20;

    private readonly SafeFileHandle _device;

    private SpoolDevice(string path, SafeFileHandle device, Guid id, long size)
    {
        Path = path;
        Id = id;
        _device = device;
        Size = size;
    }

    private static ReadOnlySpan<byte> Signature => "NETDUMP-SPOOL-1\n"u8;

    /// <summary>The device.</summary>
    public string Path { get; }

    /// <summary>Its identity: its name may be another in the capture kernel.</summary>
    public Guid Id { get; }

    /// <summary>Bytes.</summary>
    public long Size { get; }

    /// <summary>Bytes of the dump it keeps; 0: it is empty.</summary>
    public long DumpLength { get; private set; }

    /// <summary>What is to be said of the dump; null when it is empty.</summary>
    public CrashAnnouncement? Announcement { get; private set; }

    /// <summary>Makes an empty device a spool.</summary>
    /// <exception cref="ClientException">It is no block device, is in use, is too small or holds something.</exception>
    /// <exception cref="IOException">It failed.</exception>
    public static SpoolDevice Init(string path)
    {
        SafeFileHandle device = OpenAlone(path);
        try
        {
            long size = SizeOf(path, device);
            byte[] first = new byte[DumpAt];
            int length = RandomAccess.Read(device, first, 0);
            if (TryRead(path, device, first, out SpoolDevice? spool)) return spool;
            if (first.AsSpan(0, length).ContainsAnyExcept((byte)0))
                throw new ClientException($"{path} holds something", $"choose an empty device; if nothing on it is needed: dd if=/dev/zero of={path} bs=1M count=1");
            if (size < LeastSize) throw new ClientException($"{path} has {size >> 20} MiB", $"a spool has at least {LeastSize >> 20} MiB; a dump of most hosts needs some GiB");
            var made = new SpoolDevice(path, device, Guid.NewGuid(), size);
            made.WriteHeader();
            return made;
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    /// <summary>Opens a spool for oneself.</summary>
    /// <exception cref="ClientException">It is none.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static SpoolDevice Open(string path)
    {
        SafeFileHandle device = OpenAlone(path);
        try
        {
            byte[] first = new byte[HeaderSize];
            _ = RandomAccess.Read(device, first, 0);
            return TryRead(path, device, first, out SpoolDevice? spool) ? spool : throw new ClientException($"{path} is no spool", $"netdump spool init {path}");
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    /// <summary>The identity of a spool, and no more; null when it is none or cannot be read.</summary>
    public static Guid? IdOf(string path)
    {
        try
        {
            using SafeFileHandle device = Descriptors.Open(path, OpenFlags.ReadOnly);
            byte[] first = new byte[HeaderSize];
            return RandomAccess.Read(device, first, 0) == HeaderSize && IsHeader(first) ? new Guid(first.AsSpan(16, 16), bigEndian: true) : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Keeps a dump, in place of an earlier one: the newest crash is the one somebody waits for.</summary>
    /// <param name="announcement">What is to be said of it.</param>
    /// <param name="write">Writes the dump.</param>
    /// <exception cref="IOException">The disk failed, or is too small: then it is empty.</exception>
    public void Keep(CrashAnnouncement announcement, Action<DumpOutput> write)
    {
        Clear(); // half a dump is none
        using var output = new DeviceOutput(_device, DumpAt, Size - DumpAt);
        write(output);
        output.Finish();
        (DumpLength, Announcement) = (output.Length, announcement);
        WriteHeader();
    }

    /// <summary>Opens the dump it keeps.</summary>
    /// <exception cref="VmcoreFormatException">It is damaged.</exception>
    public VmcoreFile OpenDump() => VmcoreFile.Open(new Part(Path, _device, DumpAt, DumpLength));

    /// <summary>Forgets the dump.</summary>
    public void Clear()
    {
        (DumpLength, Announcement) = (0, null);
        WriteHeader();
    }

    /// <inheritdoc/>
    public void Dispose() => _device.Dispose();

    private static SafeFileHandle OpenAlone(string path)
    {
        if (!File.Exists(path)) throw new ClientException($"{path} does not exist", "give the name of a block device");
        if (!FileTypes.IsBlockDevice(path)) throw new ClientException($"{path} is no block device", "a partition, a logical volume of its own or a whole disk");
        try
        {
            // Of a block device O_EXCL alone means: nobody else, no file system either (open(2)).
            return Descriptors.Open(path, OpenFlags.ReadWrite | OpenFlags.MustNotExist);
        }
        catch (LinuxException e) when (e.Error == Errno.Busy)
        {
            throw new ClientException($"{path} is in use", "it must be neither mounted, nor a part of something else, nor just being sent", e);
        }
    }

    private static long SizeOf(string path, SafeFileHandle device)
    {
        long size = Descriptors.SeekEnd(device);
        return size > 0 ? size : throw new ClientException($"{path} tells no size");
    }

    private static bool TryRead(string path, SafeFileHandle device, ReadOnlySpan<byte> first, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SpoolDevice? spool)
    {
        spool = null;
        if (!IsHeader(first)) return false;
        long size = SizeOf(path, device);
        spool = new SpoolDevice(path, device, new Guid(first.Slice(16, 16), bigEndian: true), size);
        long length = BinaryPrimitives.ReadInt64LittleEndian(first[40..]);
        int json = BinaryPrimitives.ReadInt32LittleEndian(first[48..]);
        if (length <= 0 || length > size - DumpAt || json < 0 || json > DigestAt - JsonAt) return true;
        try
        {
            spool.Announcement = JsonSerializer.Deserialize(first.Slice(JsonAt, json), UploadJson.Default.CrashAnnouncement);
            spool.DumpLength = length;
        }
        catch (JsonException)
        {
            // what it kept cannot be named: it is empty
        }
        return true;
    }

    private static bool IsHeader(ReadOnlySpan<byte> first) =>
        first.Length >= HeaderSize && first.StartsWith(Signature) && SHA256.HashData(first[..DigestAt]).AsSpan().SequenceEqual(first[DigestAt..HeaderSize]);

    private void WriteHeader()
    {
        byte[] first = new byte[HeaderSize];
        Signature.CopyTo(first);
        Id.TryWriteBytes(first.AsSpan(16), bigEndian: true, out _);
        BinaryPrimitives.WriteInt64LittleEndian(first.AsSpan(32), Size);
        BinaryPrimitives.WriteInt64LittleEndian(first.AsSpan(40), DumpLength);
        byte[] json = Announcement is null ? [] : JsonSerializer.SerializeToUtf8Bytes(Announcement, UploadJson.Default.CrashAnnouncement);
        if (json.Length > DigestAt - JsonAt) json = JsonSerializer.SerializeToUtf8Bytes(Announcement! with { Title = null }, UploadJson.Default.CrashAnnouncement);
        BinaryPrimitives.WriteInt32LittleEndian(first.AsSpan(48), json.Length);
        json.CopyTo(first, JsonAt);
        SHA256.HashData(first.AsSpan(0, DigestAt), first.AsSpan(DigestAt));
        RandomAccess.Write(_device, first, 0);
        RandomAccess.FlushToDisk(_device);
    }

    /// <summary>The dump's part of the device.</summary>
    private sealed class Part(string path, SafeFileHandle device, long start, long length) : DumpBytes(path, length)
    {
        public override int Read(long offset, Span<byte> destination)
        {
            if (offset < 0 || offset >= Length) return 0;
            destination = destination[..(int)Math.Min(destination.Length, Length - offset)];
            int done = 0;
            for (int got; done < destination.Length && (got = RandomAccess.Read(device, destination[done..], start + offset + done)) > 0;) done += got;
            return done;
        }

        public override void Dispose()
        {
            // the device is the spool's
        }
    }
}
