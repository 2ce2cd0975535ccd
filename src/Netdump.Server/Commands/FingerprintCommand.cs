using System.CommandLine;
using System.Text.Json;
using Netdump.Server.Enrolment;
using Netdump.Server.Store;

namespace Netdump.Server.Commands;

/// <summary><c>netdump-server fingerprint</c>: what hosts pin.</summary>
internal static class FingerprintCommand
{
    private const string Examples = """
          netdump-server fingerprint
              the key that hosts pin; made if this server never started
          netdump-server fingerprint --json | jq -r .curl
              for curl --pinnedpubkey
        """;

    public static Command Create()
    {
        StoreArgument store = new();
        Option<bool> json = new("--json") { Description = "for programs" };
        CommandWithExamples command = new("fingerprint", "prints the fingerprint of this server's key", Examples) { json };
        store.AddTo(command);
        command.SetAction(result => Print(store.Read(result), result.GetValue(json), result.InvocationConfiguration.Output));
        return command;
    }

    private static int Print(CrashStore store, bool json, TextWriter output)
    {
        StoreOwner.Become(store);
        using ServerIdentity identity = ServerIdentity.Load(store);
        string text = identity.Fingerprint.ToString();
        output.WriteLine(json
            ? JsonSerializer.Serialize(
                new FingerprintReport(text, text.Replace("SHA256:", "sha256//", StringComparison.Ordinal), ServerIdentity.CertificatePathOf(store)),
                CommandJson.Plain.FingerprintReport)
            : text);
        return 0;
    }
}
