using System.Globalization;
using Tomlyn;
using Tomlyn.Parsing;
using Tomlyn.Syntax;

namespace Netdump.Server.Options;

/// <summary>
/// Reads /etc/netdump-server.toml: one <c>key = value</c> a line, no tables. The original's own file has the same shape, so its keys
/// are read as well. Errors name file, line and column.
/// </summary>
internal static class ConfigurationFile
{
    /// <summary>Read when no other is named.</summary>
    public const string DefaultPath = "/etc/netdump-server.toml";

    /// <summary>Reads a file. Throws <see cref="OptionException"/> when it cannot be read or has an error.</summary>
    public static IReadOnlyList<Assignment> Read(string path)
    {
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string reason = e switch
            {
                FileNotFoundException or DirectoryNotFoundException => "no such file",
                UnauthorizedAccessException => Directory.Exists(path) ? "it is a directory" : "permission denied",
                _ => e.Message,
            };
            throw new OptionException($"cannot read the settings in {path}: {reason}", e);
        }

        return Parse(text, path);
    }

    /// <summary>Reads text as a file of the given name. Throws <see cref="OptionException"/>.</summary>
    public static IReadOnlyList<Assignment> Parse(string text, string path)
    {
        DocumentSyntax document;
        try
        {
            document = SyntaxParser.Parse(text, path, validate: true);
        }
        catch (ArgumentException e)
        {
            // Found by the fuzzer: a file that ends inside an escape breaks the library's own message.
            throw new OptionException($"{path}: a quoted value ends inside a backslash escape", e);
        }
        catch (TomlException e)
        {
            // Found by the fuzzer as well: brackets within brackets beyond the library's limit.
            throw new OptionException($"{path}: brackets within brackets; a value is one string, number or word, or an array of such", e);
        }

        foreach (DiagnosticMessage diagnostic in document.Diagnostics)
            if (diagnostic.Kind == DiagnosticMessageKind.Error)
                throw new OptionException($"{Place(path, diagnostic.Span)}: {OneLine(diagnostic.Message)}");
        foreach (TableSyntaxBase table in document.Tables)
            throw new OptionException($"{Place(path, table.Span)}: this file has no tables; write key = value lines only");
        return [.. document.KeyValues.Select(pair => Read(pair, path))];
    }

    private static Assignment Read(KeyValueSyntax pair, string path)
    {
        string key = pair.Key!.ToString().Trim();
        string where = Place(path, pair.Key.Span);
        Setting? setting = Settings.All.FirstOrDefault(s => s.Key == key || s.OldKeys.Contains(key));
        if (setting is null)
        {
            string? nearest = NearestName.Find(key, Settings.All.Where(s => s.Note is null).Select(s => s.Key));
            throw new OptionException($"{where}: unknown setting '{key}'" + (nearest is null ? "" : $" (did you mean '{nearest}'?)"));
        }

        where = $"{Place(path, pair.Value!.Span)}: {key}";
        string[] values = pair.Value is ArraySyntax array
            ? [.. array.Items.Select(item => Text(item.Value!, where))]
            : [Text(pair.Value, where)];
        if (!setting.IsList && pair.Value is ArraySyntax) throw new OptionException($"{where}: takes one value, not an array");
        return new Assignment(setting, values, where);
    }

    private static string Text(ValueSyntax value, string where) => value switch
    {
        StringValueSyntax text => text.Value ?? "",
        IntegerValueSyntax number => number.Value.ToString(CultureInfo.InvariantCulture),
        BooleanValueSyntax flag => flag.Value ? "true" : "false",
        _ => throw new OptionException($"{where}: takes text, a whole number, true or false"),
    };

    // TOML's positions count from zero, people and editors from one.
    private static string Place(string path, SourceSpan span) => $"{path}:{span.Start.Line + 1}:{span.Start.Column + 1}";

    private static string OneLine(string text) => text.ReplaceLineEndings(" ").Trim();
}
