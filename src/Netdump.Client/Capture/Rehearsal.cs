namespace Netdump.Client.Capture;

/// <summary>What goes wrong in a rehearsal.</summary>
public enum RehearsedFailure
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The child kills itself with SIGKILL.</summary>
    Kill,

    /// <summary>The child takes memory until the kernel kills it.</summary>
    Memory,

    /// <summary>The child stops working and moves nothing more.</summary>
    Hang,
}

/// <summary>
/// <c>netdump.rehearse=kill|memory|hang[:always]</c> on the capture kernel's command line (CAPTURE_CMDLINE): an operator's way to
/// see a host come back although its dump goes wrong. The failure happens when a MiB has been moved, in the first child only
/// or, with <c>:always</c>, in each.
/// </summary>
/// <param name="Failure">What goes wrong.</param>
/// <param name="Always">In each child.</param>
public readonly record struct Rehearsal(RehearsedFailure Failure, bool Always)
{
    /// <summary>Bytes that are moved before the failure happens.</summary>
    public const ulong Threshold = 1 << 20;

    private const string Key = "netdump.rehearse=";

    /// <summary>Reads the kernel's command line. A value that is not known is no rehearsal; <paramref name="complaint"/> then says so.</summary>
    public static Rehearsal Parse(string commandLine, out string? complaint)
    {
        complaint = null;
        Rehearsal found = default;
        foreach (string word in commandLine.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
        {
            if (!word.StartsWith(Key, StringComparison.Ordinal)) continue;
            string[] parts = word[Key.Length..].Split(':');
            RehearsedFailure failure = parts[0] switch
            {
                "kill" => RehearsedFailure.Kill,
                "memory" => RehearsedFailure.Memory,
                "hang" => RehearsedFailure.Hang,
                _ => RehearsedFailure.None,
            };
            bool known = failure != RehearsedFailure.None && (parts.Length == 1 || (parts.Length == 2 && parts[1] is "always" or "once"));
            complaint = known ? null : $"{word}: not known; kill, memory or hang, and :always behind it";
            found = known ? new Rehearsal(failure, parts.Length == 2 && parts[1] == "always") : default;
        }
        return found;
    }

    /// <summary>True when the failure is due.</summary>
    /// <param name="start">Number of the child, counted from 1.</param>
    /// <param name="moved">Bytes it has moved.</param>
    public bool IsDue(int start, ulong moved) => Failure != RehearsedFailure.None && moved >= Threshold && (Always || start == 1);
}
