using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Netdump.Client.Configuration;
using Netdump.Client.Send;
using Netdump.Client.Send.Secure;
using Netdump.Client.Trust;
using Netdump.Kernel;
using Netdump.Kernel.Incidents;
using Netdump.Kernel.Report;
using Netdump.Kernel.Tasks;
using Netdump.Protocols.Keys;
using Netdump.Protocols.Upload;
using Netdump.Vmcore;
using Netdump.Vmcore.Codecs;

namespace Netdump.Client.Commands;

/// <summary>What was asked of <c>netdump send</c> when it sends securely.</summary>
/// <param name="Path">The dump.</param>
/// <param name="Servers">Where to, in order.</param>
/// <param name="Key">File of the private key.</param>
/// <param name="Pin">Key of the server; null: as it is known on this host.</param>
/// <param name="Level">Dump level.</param>
/// <param name="Codec">How pages are compressed.</param>
/// <param name="Threads">Threads that compress; null for one a processor.</param>
/// <param name="Timeout">How long a server may be silent; null for what suits each step.</param>
internal sealed record SecureRequest(string Path, IReadOnlyList<Endpoint> Servers, string Key, KeyFingerprint? Pin, int Level, PageCodec Codec, int? Threads, TimeSpan? Timeout);

/// <summary><c>netdump send</c> by the secure upload.</summary>
internal static class SendSecurely
{
    /// <summary>Sends.</summary>
    /// <returns>0.</returns>
    /// <exception cref="ClientException">Key, pin or dump are missing or wrong, or no server took it.</exception>
    public static int Run(SecureRequest request, SendDisplay display, CancellationToken cancellation)
    {
        IReadOnlyList<SecureTarget> targets = [.. request.Servers.Select(s => Target(s, request.Pin))];
        using ECDsa key = KeyFile.Read(request.Key);
        using X509Certificate2 certificate = HostCertificate.OfOwnKey(key, "netdump send");
        using VmcoreFile file = DumpArgument.Open(request.Path);
        if (file.IsTruncated) throw SendCommand.CutShort(request.Path, file);
        CrashSignature? signature = Identify(file, display, out CrashedKernel? kernel);
        SecureOptions options = new()
        {
            Certificate = certificate,
            Announcement = new CrashAnnouncement
            {
                Id = IdOf(request, file),
                Title = signature?.Title,
                Signature = signature is null ? null : new AnnouncedSignature(signature.Version, signature.Id),
            },
            DumpLevel = request.Level,
            Codec = request.Codec,
            State = () => new SysRqT(kernel ?? new CrashedKernel(file)).Texts(),
            Note = display.Note,
        };
        if (request.Threads is { } threads) options = options with { Threads = threads };
        if (request.Timeout is { } limit) options = options with { ReachLimit = limit, SilenceLimit = limit, StallLimit = limit };
        SecureSender sender = new(file, options, display.Show);
        SendResult result = sender.Run(targets, cancellation);
        display.End(result, sender.LogTrouble);
        return result.IsDone ? 0 : throw Explain(result, request, KeyFingerprint.Of(key));
    }

    private static SecureTarget Target(Endpoint server, KeyFingerprint? pin)
    {
        KeyFingerprint key = pin ?? KnownServers.Load(RootProgram.ThisHost).Find(server.Host, server.Port)?.Key ?? throw new ClientException(
            $"the key of {server} is not known", $"give --pin with what netdump-server fingerprint prints there, or let netdump propagate write it to {KnownServers.FilePath}");
        IPEndPoint Find() => new(server.Resolve()[0], server.Port);
        return new SecureTarget(server.ToString(), Find(), key) { Find = IPAddress.TryParse(server.Host, out _) ? null : Find };
    }

    // A dump that nobody can explain is still worth sending.
    private static CrashSignature? Identify(VmcoreFile file, SendDisplay display, out CrashedKernel? kernel)
    {
        kernel = null;
        try
        {
            return ReportBuilder.Identify(file, out kernel);
        }
        catch (Exception failure)
        {
            display.Note($"what crashed cannot be found out here: {failure.Message}");
            return null;
        }
    }

    // The same whenever this file is sent with this program, so that a second run goes on where the first ended; another one when the stream would be another.
    private static Guid IdOf(SecureRequest request, VmcoreFile file)
    {
        string path = Path.GetFullPath(request.Path);
        if (!File.Exists(path)) return Guid.NewGuid(); // a pipe comes once
        FileInfo info = new(path);
        string identity = $"{RootProgram.ThisHost.Read("/etc/machine-id")}|{path}|{info.Length}|{info.LastWriteTimeUtc.Ticks}|{(file.Kdump is null ? $"{request.Level} {request.Codec}" : "")}|{VmcoreStream.Program}";
        return new Guid(SHA256.HashData(Encoding.UTF8.GetBytes(identity)).AsSpan(0, 16), bigEndian: true);
    }

    private static ClientException Explain(SendResult result, SecureRequest request, KeyFingerprint key)
    {
        string name = result.Target.Name;
        string reason = result.Reason ?? result.Outcome.ToString();
        return result.Outcome switch
        {
            SendOutcome.Cancelled => new ClientException("interrupted", "send it again: it goes on where it ended"),
            SendOutcome.NotEnrolled => new ClientException($"{name} does not know the key {request.Key} ({key})", $"on the server: netdump-server enrol {Path.GetFileName(request.Key)}.pub"),
            SendOutcome.WrongServerKey => new ClientException(reason),
            SendOutcome.PortClosed => new ClientException(reason, "check that netdump-server runs there with its secure port, and the port"),
            SendOutcome.NoAnswer => new ClientException(reason, "check that netdump-server runs there and that TCP passes"),
            SendOutcome.Unreachable => new ClientException(reason, "check the network"),
            SendOutcome.Silent => new ClientException(reason, "see the server's log, then send it again: it goes on where it ended"),
            SendOutcome.NoSpace => new ClientException($"{name} has no room for it: {reason}"),
            _ => new ClientException($"{name} refuses it: {reason}"),
        };
    }
}
