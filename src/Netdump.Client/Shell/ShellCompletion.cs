using Netdump.Kernel;
using Netdump.Kernel.Types;

namespace Netdump.Client.Shell;

/// <summary>What the tab key offers: commands first in a line, their options, types, symbols, and modules.</summary>
internal sealed class ShellCompletion
{
    private const int Most = 2000;

    private readonly IReadOnlyDictionary<string, IReadOnlyList<string>> _commands;
    private readonly Lazy<CrashedKernel?> _kernel;

    /// <summary>Sets what is offered.</summary>
    /// <param name="commands">The commands, each with its options.</param>
    /// <param name="kernel">Gives the kernel, when a symbol or type is first wanted; null when it cannot be read.</param>
    public ShellCompletion(IReadOnlyDictionary<string, IReadOnlyList<string>> commands, Func<CrashedKernel?> kernel) =>
        (_commands, _kernel) = (commands, new(kernel, isThreadSafe: false));

    /// <summary>The words that may stand at the end of a line.</summary>
    /// <param name="line">The line up to the cursor.</param>
    /// <param name="start">Where in it the word begins.</param>
    public IReadOnlyList<string> Complete(string line, out int start)
    {
        start = line.LastIndexOfAny([' ', '\t', '=', '!']) + 1;
        var prefix = line[start..];
        var before = line[..start].Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        if (before.Length == 0 || before is ["help" or "?"])
            return Sort(_commands.Keys.Append("help").Append("quit"), prefix);
        if (prefix.StartsWith('-'))
            return _commands.TryGetValue(before[0], out var options) ? Sort(options, prefix) : [];
        if (line.Contains('>', StringComparison.Ordinal) || line.Contains('|', StringComparison.Ordinal) || prefix.Length == 0 || _kernel.Value is not { } kernel)
            return [];
        if (before[^1] is "--module" or "-M")
            return Sort(kernel.Modules.Select(module => module.Name), prefix);
        return Sort(before[0] == "struct" ? Types(kernel).Concat(Symbols(kernel)) : Symbols(kernel), prefix);
    }

    private static IEnumerable<string> Symbols(CrashedKernel kernel) => kernel.Symbols is not { } symbols
        ? []
        : symbols.All.Concat(kernel.Modules.SelectMany(module => module.Symbols)).Select(symbol => symbol.Name);

    private static IEnumerable<string> Types(CrashedKernel kernel)
    {
        for (var id = 1; id < (kernel.Types?.Count ?? 0); id++)
            if (kernel.Types!.Type(id) is { Kind: TypeKind.Struct or TypeKind.Union or TypeKind.Enum or TypeKind.Typedef, Name: { Length: > 0 } name })
                yield return name;
    }

    private static List<string> Sort(IEnumerable<string> words, string prefix)
    {
        var found = words.Where(word => word.StartsWith(prefix, StringComparison.Ordinal)).Distinct().Take(Most).ToList();
        found.Sort(StringComparer.Ordinal);
        return found;
    }
}
