using System.CommandLine;
using System.Globalization;
using System.IO.Enumeration;
using Netdump.Kernel;
using Netdump.Kernel.Symbols;

namespace Netdump.Client.Commands;

/// <summary><c>netdump sym</c>: from names to addresses and back.</summary>
internal static class SymCommand
{
    private const string Examples = """
        netdump sym vmcore jiffies_64
        netdump sym vmcore ffffffff81890926             sysrq_handle_crash+0x16/0x20
        netdump sym vmcore --grep 'tcp_*_timer'
        netdump sym vmcore --module ext4
        """;

    public static Command Create()
    {
        var file = DumpArgument.Create("FILE");
        var wanted = new Argument<string[]>("NAME|ADDRESS") { Description = "A symbol, or a hexadecimal address", Arity = ArgumentArity.ZeroOrMore };
        var module = new Option<string>("--module", "-M") { Description = "Only symbols of this module; all of them when nothing else is asked", HelpName = "MODULE" };
        var grep = new Option<string>("--grep", "-q") { Description = "Symbols whose name contains this; with * or ?, that match it", HelpName = "TEXT" };
        var json = KernelArgument.Json();
        var command = new CommandWithExamples(
            "sym", "Says where symbols are and what addresses belong to, in the kernel and its modules. Exit code 1 when one is not known.", Examples)
        {
            file, wanted, module, grep, json,
        };
        command.Validators.Add(r =>
        {
            if (r.GetValue(wanted) is null or [] && r.GetValue(module) is null && r.GetValue(grep) is null)
                r.AddError("Name a symbol or an address, or say --module or --grep.");
        });
        command.SetAction(p =>
        {
            var path = p.GetRequiredValue(file);
            using var dump = DumpArgument.Open(path);
            var kernel = KernelArgument.Open(dump, path);
            if (kernel.Symbols is not { } symbols)
                throw KernelArgument.Absent(kernel, "symbols");
            var missing = new List<string>();
            var found = Search(kernel, symbols, p.GetValue(wanted) ?? [], p.GetValue(module), p.GetValue(grep), missing);
            if (p.GetValue(json))
                WriteJson(found);
            else
                Write(found, Console.Out);
            foreach (var word in missing)
                Console.Error.WriteLine($"netdump: {word}: no symbol of this name, and no address of the kernel or a module; --grep finds names by a part");
            return missing.Count == 0 ? 0 : 1;
        });
        return command;
    }

    private readonly record struct Line(ulong Address, char Letter, string Name, string? Module, ulong? Offset, ulong? Size);

    private static IEnumerable<Line> Search(
        CrashedKernel kernel, KernelSymbols symbols, string[] wanted, string? module, string? pattern, List<string> missing)
    {
        foreach (var word in wanted)
        {
            var any = false;
            foreach (var symbol in symbols.Find(word).Where(symbol => module is null || symbol.Module == module))
            {
                any = true;
                yield return new(symbol.Address, symbol.Letter, symbol.Name, symbol.Module, null, null);
            }
            // A symbol can look like a number (fade, abc): a name that exists is one.
            if (!any && Address(word) is { } address && symbols.TryResolve(address, out var match) && (module is null || match.Module == module))
            {
                any = true;
                var letter = symbols.Find(match.Name).Where(symbol => symbol.Address == match.Start).Select(symbol => symbol.Letter).FirstOrDefault('?');
                yield return new(address, letter, match.Name, match.Module, address - match.Start, match.Size);
            }
            if (!any)
                missing.Add(word);
        }
        if (pattern is null && (module is null || wanted.Length > 0))
            yield break;
        var all = Enumerable.Empty<KernelSymbol>();
        if (module is null)
            all = symbols.All.Concat(kernel.Modules.SelectMany(one => one.Symbols));
        else if (kernel.Modules.Find(module) is { } one)
            all = one.Symbols.OrderBy(symbol => symbol.Address);
        else
            missing.Add(module);
        foreach (var symbol in all)
            if (pattern is null || Matches(symbol.Name, pattern))
                yield return new(symbol.Address, symbol.Letter, symbol.Name, symbol.Module, null, null);
    }

    // The marks before functions double every hit; who wants them says so.
    private static bool Matches(string name, string pattern) =>
        (!name.StartsWith("__pfx_", StringComparison.Ordinal) || pattern.StartsWith("__pfx", StringComparison.Ordinal))
        && (pattern.AsSpan().ContainsAny('*', '?') ? FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false) : name.Contains(pattern, StringComparison.Ordinal));

    private static ulong? Address(string text) =>
        ulong.TryParse(text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text.AsSpan(2) : text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;

    private static void Write(IEnumerable<Line> lines, TextWriter output)
    {
        foreach (var line in lines)
        {
            var place = line.Offset is { } offset ? $"+0x{offset:x}/0x{line.Size:x}" : "";
            output.WriteLine($"{line.Address:x16} ({line.Letter}) {line.Name}{place}{(line.Module is null ? "" : $" [{line.Module}]")}");
        }
    }

    private static void WriteJson(IEnumerable<Line> lines) => KernelArgument.WriteJson(json =>
    {
        json.WriteStartArray();
        foreach (var line in lines)
        {
            json.WriteStartObject();
            json.WriteString("address", KernelArgument.Hex(line.Address));
            json.WriteString("type", line.Letter.ToString());
            json.WriteString("name", line.Name);
            json.WriteString("module", line.Module);
            if (line.Offset is { } offset)
            {
                json.WriteNumber("offset", offset);
                json.WriteNumber("size", line.Size.GetValueOrDefault());
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });
}
