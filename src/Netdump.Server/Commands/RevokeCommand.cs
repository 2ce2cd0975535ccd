using System.CommandLine;
using System.Text.Json;
using Netdump.Server.Enrolment;
using Netdump.Server.Options;
using Netdump.Server.Store;

namespace Netdump.Server.Commands;

/// <summary><c>netdump-server revoke</c>: a host may send nothing more.</summary>
internal static class RevokeCommand
{
    private const string Examples = """
          netdump-server revoke web-17
              takes effect at once, on open connections too; what came from the host stays
        """;

    public static Command Create()
    {
        StoreArgument store = new();
        Argument<string> host = new("HOST") { Description = "name of an enrolled host, or its key's fingerprint" };
        Option<bool> json = new("--json") { Description = "for programs" };
        CommandWithExamples command = new("revoke", "takes a host's enrolment back", Examples) { host, json };
        store.AddTo(command);
        command.SetAction(result => Revoke(store.ReadExisting(result), result.GetRequiredValue(host), result.GetValue(json), result.InvocationConfiguration.Output));
        return command;
    }

    private static int Revoke(CrashStore store, string name, bool json, TextWriter output)
    {
        StoreOwner.Become(store);
        IReadOnlyList<EnrolledHost> revoked = new HostEnrolment(store, TimeProvider.System).Revoke(name, Subcommands.Origin);
        if (revoked.Count == 0)
        {
            string? nearest = NearestName.Find(name, new EnrolledHosts(store, TimeProvider.System).All.Select(h => h.Name));
            throw new OptionException($"no host '{name}' is enrolled{(nearest is null ? "" : $" (did you mean '{nearest}'?)")}; netdump-server hosts lists them");
        }

        if (json)
        {
            RevocationReport report = new([.. revoked.Select(h => new HostReport(h.Name, h.Key.Fingerprint.ToString(), null, null))]);
            output.WriteLine(JsonSerializer.Serialize(report, CommandJson.Plain.RevocationReport));
            return 0;
        }

        foreach (EnrolledHost host in revoked) output.WriteLine($"{host.Name} is not enrolled any more (key {host.Key.Fingerprint})");
        return 0;
    }
}
