using Netdump.Protocols.Upload;
using Netdump.Server.Options;

namespace Netdump.Server.Triage;

/// <summary>What is wanted of a crash that is announced, by the rules of the settings. Thread-safe.</summary>
internal sealed class CrashPolicy(LiveOptions options, SignatureIndex signatures)
{
    /// <summary>Dumps of a signature that are being received, but for the crash of a name.</summary>
    public Func<string, string, int> Receiving { get; set; } = (_, _) => 0;

    /// <summary>Decides on an announcement.</summary>
    /// <param name="announcement">What the host says.</param>
    /// <param name="crash">Name of the crash, which does not count itself.</param>
    /// <returns>How much is wanted, which pages to leave out, and why when that is not what the host means to do anyway.</returns>
    public (WantedVmcore Wanted, int? Level, string? Reason) Decide(CrashAnnouncement announcement, string crash)
    {
        ServerOptions rules = options.Current;
        if (rules.SameDumps > 0 && announcement.Signature?.Id is { } signature)
        {
            int there = signatures.Count(signature) + Receiving(signature, crash);
            if (there >= rules.SameDumps)
                return (WantedVmcore.None, null, $"{there} dumps of the signature {signature} came within 24 hours, {rules.SameDumps} are kept (same_dumps)");
        }

        // A file is sent as it is.
        if (announcement.DumpLevel is not { } own)
            return (WantedVmcore.Full, null, null);
        int level = rules.DumpLevel ?? own;
        return (level == 0 ? WantedVmcore.Full : WantedVmcore.Filtered, level, level == own ? null : $"the server wants dump level {level} (dump_level)");
    }
}
