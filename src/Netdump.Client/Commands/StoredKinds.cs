using System.Text.Json.Serialization;
using Netdump.Vmcore;
using Netdump.Vmcore.Filter;

namespace Netdump.Client.Commands;

/// <summary>Pages that a dump holds, by what the kernel used them for: what each dump level would leave out. Names of the JSON form are stable.</summary>
/// <param name="Free">Level 16.</param>
/// <param name="Cache">Level 2.</param>
/// <param name="PrivateCache">Level 4.</param>
/// <param name="User">Level 8.</param>
/// <param name="Poisoned">Every level.</param>
/// <param name="Offline">Every level.</param>
/// <param name="Unknown">Which kinds cannot be told, and why.</param>
internal sealed record StoredKinds(ulong Free, ulong Cache, ulong PrivateCache, ulong User, ulong Poisoned, ulong Offline, IReadOnlyList<string> Unknown)
{
    private const int AllLevels = 31;

    [JsonIgnore]
    public IEnumerable<(ulong Count, string Name)> Lines =>
        [(Free, "free"), (Cache, "cache"), (PrivateCache, "private cache"), (User, "user"), (Poisoned, "poisoned"), (Offline, "offline")];

    /// <summary>Goes through the page structures.</summary>
    public static StoredKinds Of(VmcoreFile file, bool isMapped)
    {
        using var bar = new FilterBar(Console.Error, isTerminal: !Console.IsErrorRedirected);
        using var filter = new PageFilter(file, AllLevels, isMapped, bar.ShowLooking);
        filter.Select((_, _) => { });
        var counts = filter.Counts;
        return new StoredKinds(
            counts.Free, counts.Cache, counts.PrivateCache, counts.User, counts.Poisoned, counts.Offline,
            [.. filter.Kept.Select(k => $"{k.Class} pages cannot be told: {k.Reason}")]);
    }
}
