using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Json.Schema;
using Netdump.Kernel.Report;

namespace Netdump.Kernel.Tests.Report;

/// <summary>docs/report.schema.json: made from the report's types and their comments, judged by a validator that is not ours.</summary>
internal static partial class ReportSchema
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly Lazy<JsonSchema> Published = new(() => JsonSchema.FromText(File.ReadAllText(Path!)));

    /// <summary>Where it is published.</summary>
    public static string Path { get; } = System.IO.Path.Combine(Root(), "docs", "report.schema.json");

    /// <summary>What it must be for the types as they are.</summary>
    public static string Make()
    {
        var comments = XDocument.Load(System.IO.Path.ChangeExtension(typeof(CrashReport).Assembly.Location, ".xml")).Descendants("member")
            .ToDictionary(m => m.Attribute("name")!.Value, StringComparer.Ordinal);
        var exporter = new JsonSchemaExporterOptions
        {
            TreatNullObliviousAsNonNullable = true,
            TransformSchemaNode = (context, node) => Describe(context, node, comments),
        };
        var schema = (JsonObject)ReportJson.Default.CrashReport.GetJsonSchemaAsNode(exporter);
        schema.Insert(0, "$schema", "https://json-schema.org/draft/2020-12/schema");
        return schema.ToJsonString(Indented) + "\n";
    }

    /// <summary>What is wrong with a report; empty when it is as published.</summary>
    public static string Complaints(string report)
    {
        using var document = JsonDocument.Parse(report);
        var result = Published.Value.Evaluate(document.RootElement, new EvaluationOptions { OutputFormat = OutputFormat.List });
        return result.IsValid ? "" : string.Join('\n', (result.Details ?? []).Where(d => d.Errors is not null)
            .Select(d => $"{d.InstanceLocation}: {string.Join(", ", d.Errors!.Values)}"));
    }

    private static JsonNode Describe(JsonSchemaExporterContext context, JsonNode node, Dictionary<string, XElement> comments)
    {
        if (node is not JsonObject schema || context.PropertyInfo is not { AttributeProvider: MemberInfo member })
            return node;
        var type = member.DeclaringType!;
        var text = comments.GetValueOrDefault($"P:{type.FullName}.{member.Name}")?.Element("summary")
            ?? comments.GetValueOrDefault($"T:{type.FullName}")?.Elements("param").FirstOrDefault(p => p.Attribute("name")!.Value == member.Name);
        if (text is not null)
            schema.Insert(0, "description", Blanks().Replace(Plain(text), " ").Trim());
        return schema;
    }

    private static string Plain(XElement comment) =>
        string.Concat(comment.Nodes().Select(n => n is XElement e ? (e.Attribute("cref")?.Value.Split('.')[^1] ?? e.Value) : n.ToString()));

    private static string Root()
    {
        for (DirectoryInfo? d = new(AppContext.BaseDirectory); d is not null; d = d.Parent)
            if (File.Exists(System.IO.Path.Combine(d.FullName, "netdump.slnx")))
                return d.FullName;
        throw new InvalidOperationException("netdump.slnx is not above the tests");
    }

    [GeneratedRegex(@"\s+", RegexOptions.NonBacktracking)]
    private static partial Regex Blanks();
}
