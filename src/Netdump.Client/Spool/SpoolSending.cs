using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Client.Send;
using Netdump.Client.Send.Secure;
using Netdump.Client.Trust;
using Netdump.Kernel;
using Netdump.Kernel.Tasks;
using Netdump.Protocols.Keys;
using Netdump.Vmcore;

namespace Netdump.Client.Spool;

/// <summary>Sends what a spool keeps, with this host's own key, and empties it when a server has it.</summary>
internal static class SpoolSending
{
    /// <summary>Starts this program in the background to send it; nobody waits for it.</summary>
    public static void Begin(string? configurationFile)
    {
        string[] words = configurationFile is null ? ["spool", "send"] : ["spool", "send", "--config", configurationFile];
        using System.Diagnostics.Process? _ = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(Environment.ProcessPath!, words) { UseShellExecute = false });
    }

    /// <summary>Sends the dump.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="configuration">The settings.</param>
    /// <param name="progress">Is told how it goes.</param>
    /// <param name="say">Is told the rest.</param>
    /// <returns>What the server calls the crash; null when there is nothing to send.</returns>
    /// <exception cref="ClientException">No server took it: it stays.</exception>
    public static string? Send(HostFiles host, ClientConfiguration configuration, Action<SendProgress> progress, Action<string> say)
    {
        using SpoolDevice spool = SpoolDevice.Open(host.Map(configuration.Spool ?? throw new ClientException("no spool is configured", "SPOOL=DEVICE in the configuration, after netdump spool init DEVICE")));
        if (spool.DumpLength == 0) return null;
        TransportPlan transport = TransportPlan.Make(host, configuration);
        if (!transport.IsSecure) throw new ClientException("a spooled dump is sent by the secure upload, and no server is known by its key", "netdump propagate");
        using VmcoreFile dump = spool.OpenDump();
        using ECDsa key = HostKey.Open(host);
        using X509Certificate2 certificate = HostCertificate.OfOwnKey(key, "netdump host");
        var options = new SecureOptions
        {
            Certificate = certificate,
            Announcement = spool.Announcement! with { Id = spool.Announcement.Id ?? spool.Id },
            State = () => new SysRqT(new CrashedKernel(dump)).Texts(),
            Note = say,
        };
        SecureTarget[] targets = [.. transport.Pins.Select(p => new SecureTarget(p.Key.Host, new IPEndPoint(p.Key.Resolve()[0], p.Value.Server.Port), p.Value.Key))];
        SendResult result = new SecureSender(dump, options, progress).Run(targets);
        if (!result.IsDone) throw new ClientException($"no server took the spooled dump: {result.Target.Name}: {result.Reason ?? result.Outcome.ToString()}", "it stays; netdump start or netdump spool send tries again");
        spool.Clear();
        return result.Crash;
    }
}
