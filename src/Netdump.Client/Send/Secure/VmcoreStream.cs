using System.Reflection;
using Netdump.Protocols.Upload;
using Netdump.Vmcore;
using Netdump.Vmcore.Filter;
using Netdump.Vmcore.Kdump;
using Netdump.Vmcore.Output;

namespace Netdump.Client.Send.Secure;

/// <summary>What goes out as vmcore: a dump that is compressed already as it is, memory filtered and compressed as a flattened stream.</summary>
internal static class VmcoreStream
{
    private const int ClassBits = 2 | 4 | 8 | 16; // of a dump level: those that only the page structures tell
    private const int Piece = 1 << 20;

    /// <summary>Name and version of this program, as servers are told it.</summary>
    public static string Program { get; } = $"netdump {typeof(VmcoreStream).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0]}";

    /// <summary>Bytes that will go out, when they are known before.</summary>
    public static long? LengthOf(VmcoreFile file) => IsCompressed(file) ? file.Bytes.Length : null;

    /// <summary>Pages that will go out at most; of a dump that goes as it is, as many as its bytes would fill.</summary>
    public static ulong PagesOf(VmcoreFile file) =>
        IsCompressed(file) ? ((ulong)file.Bytes.Length + (ulong)file.PageSize - 1) / (ulong)file.PageSize : file.Physical.PageCount;

    /// <summary>The announcement, with what the dump says of itself where the caller said nothing.</summary>
    public static CrashAnnouncement Announce(VmcoreFile file, SecureOptions options)
    {
        CrashAnnouncement given = options.Announcement;
        Utsname name = Utsname.Find(file);
        ulong memory = file.Physical.PageCount * (ulong)file.PageSize;
        return given with
        {
            Release = given.Release ?? Text(name.Release),
            Machine = given.Machine ?? Text(name.Machine),
            HostName = given.HostName ?? Text(name.Node),
            MemoryBytes = memory,
            VmcoreBytes = IsCompressed(file) ? (ulong)file.Bytes.Length : (options.DumpLevel & ClassBits) == 0 ? memory : 0,
            DumpLevel = IsCompressed(file) ? null : options.DumpLevel,
            Program = Program,
        };
    }

    /// <summary>Writes all of it.</summary>
    /// <param name="file">The dump.</param>
    /// <param name="level">Dump level, when it is filtered here.</param>
    /// <param name="options">Threads, notes.</param>
    /// <param name="meter">Is told how many pages there are.</param>
    /// <param name="stream">Takes the bytes.</param>
    /// <param name="tick">Is called now and then; throws to end it.</param>
    /// <exception cref="IOException">The dump cannot be read.</exception>
    public static void Write(VmcoreFile file, int level, SecureOptions options, UploadMeter meter, BlockStream stream, Action tick)
    {
        if (IsCompressed(file))
        {
            Copy(file, meter, stream, tick);
            return;
        }
        using PageFilter filter = new(file, level, options.IsMapped, (_, _) => tick());
        foreach (KeptClass kept in filter.Kept) options.Note?.Invoke($"{kept}");
        using FlattenedOutput output = new(stream, leaveOpen: true);
        WrittenDump written = KdumpWriter.Write(file, filter.Select, output, new WriteOptions
        {
            Codec = options.Codec,
            DumpLevel = level,
            Threads = options.Threads,
            IsMapped = options.IsMapped,
            Progress = (done, kept) =>
            {
                stream.Pages = done;
                meter.Total = kept;
                tick();
            },
        });
        if (written.LostPages > 0) options.Note?.Invoke($"{written.LostPages} pages cannot be read: the vmcore says that it is without them");
    }

    private static void Copy(VmcoreFile file, UploadMeter meter, BlockStream stream, Action tick)
    {
        long length = file.Bytes.Length;
        meter.Total = PagesOf(file);
        for (long at = 0; at < length; tick())
        {
            stream.Pages = Math.Min(PagesOf(file), (ulong)((at + Piece) / file.PageSize));
            Span<byte> room = stream.Room;
            int count = file.Bytes.Read(at, room[..(int)Math.Min(Math.Min(Piece, room.Length), length - at)]);
            if (count == 0) throw new IOException($"{file.Bytes.Path} became shorter while it was sent");
            at += count;
            stream.Advance(count);
        }
    }

    private static bool IsCompressed(VmcoreFile file) => file.Kdump is not null;

    private static string? Text(string value) => value.Length == 0 ? null : value;
}
