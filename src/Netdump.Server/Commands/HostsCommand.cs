using System.CommandLine;
using System.Text.Json;
using Netdump.Protocols.Keys;
using Netdump.Server.Enrolment;
using Netdump.Server.Store;

namespace Netdump.Server.Commands;

/// <summary><c>netdump-server hosts</c>: who may send dumps.</summary>
internal static class HostsCommand
{
    private const string Examples = """
          netdump-server hosts
              a line each: name, since when, newest crash that came, key
          netdump-server hosts --json | jq -r '.[] | select(.last_dump == null).name'
              hosts that never sent a dump over the secure port
        """;

    public static Command Create()
    {
        StoreArgument store = new();
        Option<bool> json = new("--json") { Description = "for programs" };
        CommandWithExamples command = new("hosts", "lists the hosts that may send their dumps", Examples) { json };
        store.AddTo(command);
        command.SetAction(result => List(store.ReadExisting(result), result.GetValue(json), result.InvocationConfiguration.Output));
        return command;
    }

    private static int List(CrashStore store, bool json, TextWriter output)
    {
        StoreOwner.Become(store);
        EnrolledHosts enrolled = new(store, TimeProvider.System);
        IReadOnlyList<EnrolledHost> all = enrolled.All;
        if (enrolled.Trouble is { } trouble) throw new StoreException(trouble);
        IReadOnlyList<HostReport> hosts = [.. Report(store, all).OrderBy(h => h.Name, HostName.Comparer)];
        if (json)
        {
            output.WriteLine(JsonSerializer.Serialize(hosts, CommandJson.Plain.IReadOnlyListHostReport));
            return 0;
        }

        if (hosts.Count == 0)
        {
            output.WriteLine($"no host is enrolled in {store.Root}: netdump propagate on a host, or netdump-server enrol KEYFILE");
            return 0;
        }

        string[][] rows = [["NAME", "SINCE", "LAST DUMP", "KEY"], .. hosts.Select(Row)];
        int[] widths = [.. Enumerable.Range(0, 3).Select(column => rows.Max(row => row[column].Length))];
        foreach (string[] row in rows) output.WriteLine($"{row[0].PadRight(widths[0])}  {row[1].PadRight(widths[1])}  {row[2].PadRight(widths[2])}  {row[3]}");
        return 0;
    }

    private static string[] Row(HostReport host) =>
        [host.Name, host.Since is { } since ? $"{since.ToLocalTime():yyyy-MM-dd}" : "-", host.LastDump is { } dump ? $"{dump.Crash} ({dump.Vmcore})" : "-", host.Key];

    private static List<HostReport> Report(CrashStore store, IReadOnlyList<EnrolledHost> hosts)
    {
        using StoreFolder? root = StoreFolder.TryOpenRoot(store);
        using StoreFolder? server = root?.TryOpen(ServerIdentity.DirectoryName);
        Dictionary<KeyFingerprint, DateTimeOffset> times = EnrolmentLog.ReadTimes(server);
        Dictionary<string, DumpReport> dumps = UploadedDumps.Newest(store);
        return [.. hosts.Select(host => new HostReport(
            host.Name, host.Key.Fingerprint.ToString(), times.TryGetValue(host.Key.Fingerprint, out DateTimeOffset at) ? at : null,
            dumps.GetValueOrDefault(host.Key.Fingerprint.ToString())))];
    }
}
