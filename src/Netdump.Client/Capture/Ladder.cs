using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Netdump.Client.Image;
using Netdump.Client.Linux;
using Netdump.Client.Send;
using Netdump.Client.Send.Secure;
using Netdump.Client.Trust;
using Netdump.Protocols.Keys;
using Netdump.Protocols.Upload;

namespace Netdump.Client.Capture;

/// <summary>
/// The ways a dump can leave, from the best down: the secure upload to each server in turn, the classic protocol where it is allowed, the spool on a
/// local disk where there is one. Then all of it again, with pauses, until pid 1 gives up. Each step is a line on the console.
/// </summary>
internal sealed class Ladder(CaptureManifest manifest, DumpSource dump, Diagnosis? diagnosis, CaptureConsole console, SendWatch watch)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    /// <summary>Goes down the ladder until the dump is somewhere.</summary>
    /// <returns>True: always, as long as it returns; pid 1 ends it when nothing moves.</returns>
    public bool Send()
    {
        using RouteNetlink netlink = new();
        using KernelMessages messages = KernelMessages.Open();
        using X509Certificate2? identity = Identity();
        Links links = new(manifest, netlink, console);
        TimeSpan pause = FirstPause;
        while (true)
        {
            ulong before = watch.Total;
            links.BringUp();
            if (identity is not null && Secure(links, identity)) return true;
            if (manifest.Classic)
            {
                if (identity is not null) console.Say("no server took it by the secure upload: CLASSIC_FALLBACK=yes, so it goes out in the clear");
                if (Classic(links, messages)) return true;
            }
            if (manifest.Spool is { } spool && Keep(spool)) return true;
            if (watch.Total > before) pause = FirstPause; // a server was there
            console.Say($"the next try follows in {pause.TotalSeconds:0} s");
            Descriptors.Pause(pause);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    /// <summary>What this kernel shows to the servers; null without a secure channel.</summary>
    private X509Certificate2? Identity()
    {
        if (manifest.Servers.All(s => s.Secure is null)) return null;
        try
        {
            return CaptureIdentity.Load();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or CryptographicException)
        {
            console.Say($"there is no secure upload without key and certificate of this arming: {failure.Message}");
            return null;
        }
    }

    private bool Secure(Links links, X509Certificate2 identity)
    {
        SecureOptions options = new()
        {
            Certificate = identity,
            Announcement = Announcement(),
            DumpLevel = manifest.DumpLevel ?? 31,
            IsMapped = true,
            BlockSize = BlockSize(File.ReadLines("/proc/meminfo")),
            State = diagnosis is null ? null : () => watch.Told(diagnosis.State()),
            Note = console.Say,
            ProgressInterval = SendWatch.Interval,
        };
        SecureTarget[] targets = [.. manifest.Servers.Select(s => Target(links, s)).OfType<SecureTarget>()];
        return new SecureSender(dump.File, options, watch.Report).Run(targets).IsDone;
    }

    /// <summary>
    /// Bytes of a block, of which the sender holds two: a thirty-second part of this kernel's memory, at most what suits a host. It depends on nothing that
    /// changes: the next child has to cut the stream at the same places.
    /// </summary>
    internal static int BlockSize(IEnumerable<string> memory)
    {
        const int Least = 1 << 20;
        long share = (SizeLines.Find(memory, "MemTotal") ?? 0) >> 5;
        int size = UploadPaths.BlockSize;
        while (size > Least && size > share) size /= 2;
        return size;
    }

    private CrashAnnouncement Announcement() => new()
    {
        BootId = Guid.TryParse(manifest.BootId, out Guid boot) ? boot : null,
        HostName = manifest.HostName,
        Release = manifest.KernelRelease,
        Title = diagnosis?.Title,
        Signature = diagnosis?.Signature,
    };

    // Sent later with the host's own key, which has to name each sending.
    private bool Keep(Guid spool) => new SpoolStep(spool, dump.File, manifest.DumpLevel ?? 31, Announcement() with { Id = Guid.NewGuid() }, console, watch.Moved).Run();

    private SecureTarget? Target(Links links, CaptureServer server)
    {
        if (server.Secure is null) return null;
        SendTarget target = links.Target(server);
        if (KeyFingerprint.TryParse(server.Secure.Key, out KeyFingerprint key))
            return new SecureTarget(target.Name, new(target.Address.Address, server.Secure.Port), key);
        console.Say($"{server.Name}: '{server.Secure.Key}' is no fingerprint");
        return null;
    }

    private bool Classic(Links links, KernelMessages messages)
    {
        SendOptions options = new()
        {
            LocalPort = manifest.LocalPort,
            DumpLevel = manifest.DumpLevel,
            FilterNote = console.Say,
            Magic = MagicNumber(),
            CaptureMessages = messages.Read,
            State = diagnosis is null ? null : () => watch.Told(diagnosis.State()),
            ProgressInterval = SendWatch.Interval,
        };
        return new ClassicSender(dump, options, watch.Report).Run([.. manifest.Servers.Select(links.Target)]).IsDone;
    }

    // Without a deposited one any number serves, as long as each child of this kernel comes with the same.
    private ulong MagicNumber() =>
        ulong.TryParse(manifest.Magic, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong magic) ? magic
        : Guid.TryParse(manifest.BootId, out Guid boot) ? SendOptions.MagicOf(boot) : 0;
}
