using System.Net;
using System.Reflection;
using Microsoft.AspNetCore.Http;
using Netdump.Protocols.Keys;
using Netdump.Protocols.Upload;
using Netdump.Server.Enrolment;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Upload;

/// <summary>What a host is told of itself, and its enrolment by a token.</summary>
internal sealed class HostAnswers(UploadContext context, UploadCrashes crashes)
{
    private static readonly string Version =
        typeof(HostAnswers).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";

    private readonly HostEnrolment _enrolment = new(context.Store, context.Time);

    /// <summary>What the server knows of a host.</summary>
    /// <param name="caller">The host.</param>
    /// <param name="address">Where it asks from: its console comes from there too.</param>
    public HostStanding StandingOf(Caller caller, IPAddress address) => new()
    {
        Name = caller.Host.Name,
        Server = $"netdump-server {Version}",
        Now = context.Time.GetUtcNow(),
        FreeBytes = (ulong)Math.Max(0, context.FreeSpace(context.Store.Root)),
        LastConsole = LastConsole(address),
        LastDump = LastDump(caller, address),
    };

    /// <summary>Enrols the key of the connection by a token, and says what the server knows of it then.</summary>
    public async Task EnrolAsync(HttpContext http, UploadBody body, HostCertificate certificate, IPAddress address)
    {
        if (certificate.Issuer is not null)
            throw Refusal.BadMessage("this key is for one capture kernel: a host enrols its own");
        TokenEnrolment message = await UploadRequests.MessageAsync(body, UploadJson.Default.TokenEnrolment);
        EnrolmentResult result;
        try
        {
            result = await Task.Run(() => _enrolment.EnrolByToken(message.Token, certificate.Key, message.Name, address.ToString()));
        }
        catch (StoreException e)
        {
            Log.CrashError(context.Log, address, e.Message);
            throw new Refusal(500, "failed", "the server could not write the enrolment", "look at the server's log");
        }

        if (result.Host is not { } host)
        {
            throw result.Outcome switch
            {
                EnrolmentOutcome.NameTaken => new Refusal(409, "name-taken", result.Message, result.Remedy),
                EnrolmentOutcome.KeyTaken => new Refusal(409, "key-taken", result.Message, result.Remedy),
                EnrolmentOutcome.BadToken => new Refusal(403, "bad-token", result.Message, result.Remedy),
                _ => new Refusal(400, "bad-message", result.Message, result.Remedy),
            };
        }

        await UploadRequests.AnswerAsync(http, 200, StandingOf(new Caller(host, null), address), UploadJson.Default.HostStanding);
    }

    // The console's files are written within a fifth of a second after a line came, and say so after a restart too.
    private DateTimeOffset? LastConsole(IPAddress address)
    {
        DirectoryInfo directory = new(context.Store.ConsolePath(address));
        DateTimeOffset[] times = directory.Exists
            ? [.. directory.EnumerateFiles().Where(f => f.Name != ConsoleLog.OwnerName).Select(f => FileTimes.WrittenAt(f.FullName))]
            : [];
        return times.Length == 0 ? null : times.Max();
    }

    private ArrivedDump? LastDump(Caller caller, IPAddress address)
    {
        ArrivedDump? uploaded = crashes.NewestOf(caller.Key) is { } crash
            ? new ArrivedDump(
                crash.Directory.Name, crash.Record.Ended!.Value, crash.Record.Bytes ?? 0, crash.Record.Announcement.BootId,
                StoredReport.Read(crash.Directory)?.Title ?? crash.Record.Announcement.Title)
            : null;
        // Classic dumps know no host but an address.
        foreach (CrashDirectory directory in context.Store.WithVmcore(address))
        {
            if (File.Exists(directory.File(UploadRecord.FileName)))
                continue;
            string vmcore = directory.File(VmcoreWriter.CompleteName);
            DateTimeOffset at = FileTimes.WrittenAt(vmcore);
            return uploaded is { } newer && newer.At > at
                ? newer
                : new ArrivedDump(directory.Name, at, new FileInfo(vmcore).Length, null, StoredReport.Read(directory)?.Title);
        }

        return uploaded;
    }
}
