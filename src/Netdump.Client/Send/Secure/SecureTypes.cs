using System.Net;
using System.Security.Cryptography.X509Certificates;
using Netdump.Protocols.Keys;
using Netdump.Protocols.Upload;
using Netdump.Vmcore.Codecs;

namespace Netdump.Client.Send.Secure;

/// <summary>A server to send to by the secure upload.</summary>
/// <param name="Name">As the operator knows it, for messages.</param>
/// <param name="Address">Where it listens on TCP.</param>
/// <param name="Pin">The key it must have; names and dates of its certificate mean nothing.</param>
public sealed record SecureTarget(string Name, IPEndPoint Address, KeyFingerprint Pin) : SendTarget(Name, Address)
{
    /// <summary>Finds the address anew for each connection, for a server that is known by name; may throw. Null: <see cref="SendTarget.Address"/> stays.</summary>
    public Func<IPEndPoint>? Find { get; init; }
}

/// <summary>How a dump is sent by the secure upload.</summary>
public sealed record SecureOptions
{
    /// <summary>What this host shows, with its private key: a certificate of its own enrolled key (HostCertificate.OfOwnKey), or a leaf.</summary>
    public required X509Certificate2 Certificate { get; init; }

    /// <summary>
    /// What is said of the crash. An enrolled key itself needs an <see cref="CrashAnnouncement.Id"/>, the same in each sending of this dump; a leaf
    /// its boot. Level, sizes and program are filled in by the sender.
    /// </summary>
    public CrashAnnouncement Announcement { get; init; } = new();

    /// <summary>Which pages are to be left out, makedumpfile's 0 to 31; the server may decide otherwise. A dump that is compressed already goes as it is.</summary>
    public int DumpLevel { get; init; } = 31;

    /// <summary>How pages are compressed: zstd, or zlib for readers that do not know it.</summary>
    public PageCodec Codec { get; init; } = PageCodec.Zstd;

    /// <summary>Threads that read and compress.</summary>
    public int Threads { get; init; } = Math.Min(Environment.ProcessorCount, 8);

    /// <summary>The dump is mapped: for /proc/vmcore, which is slow to read.</summary>
    public bool IsMapped { get; init; }

    /// <summary>Bytes of a block; two of them are held in memory. The same whenever a dump is gone on with by another process.</summary>
    public int BlockSize { get; init; } = UploadPaths.BlockSize;

    /// <summary>The dead kernel's tasks, in pieces of whole lines, made while they are sent; null for none. When it fails, what came before is sent.</summary>
    public Func<IEnumerable<string>>? State { get; init; }

    /// <summary>Is told what happens besides progress, a line each: reconnections, pages that cannot be left out; null for nobody. From any thread.</summary>
    public Action<string>? Note { get; init; }

    /// <summary>A connection that is not made within this time is tried again.</summary>
    public TimeSpan ConnectLimit { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A request that moves no byte for this long is given up and tried again.</summary>
    public TimeSpan StallLimit { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>A server that never answered is given up after this time.</summary>
    public TimeSpan ReachLimit { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A server that answered before is given up when nothing succeeded for this long.</summary>
    public TimeSpan SilenceLimit { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Time between two reports of progress.</summary>
    public TimeSpan ProgressInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>What the client has to say of its work at the end, kept beside the crash; asked when all is sent. Null for nothing.</summary>
    public Func<IReadOnlyDictionary<string, string>>? Notes { get; init; }
}
