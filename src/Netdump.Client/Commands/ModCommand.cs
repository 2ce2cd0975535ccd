using System.CommandLine;
using Netdump.Kernel.Facts;
using Netdump.Kernel.Modules;

namespace Netdump.Client.Commands;

/// <summary><c>netdump mod</c>: the modules of the dead kernel.</summary>
internal static class ModCommand
{
    private const string Examples = """
        netdump mod vmcore
        netdump mod vmcore --tainting                   those that tainted the kernel: out of tree, unsigned, ...
        netdump mod vmcore --json | jq -r '.[] | "\(.name) \(.srcversion)"'
        """;

    public static Command Create()
    {
        var file = DumpArgument.Create("FILE");
        var tainting = new Option<bool>("--tainting", "-t") { Description = "Only modules that tainted the kernel" };
        var (format, json) = (KernelArgument.Format(), KernelArgument.Json());
        var command = new CommandWithExamples(
            "mod", "Prints the modules with address, size, use, taint letters and the version each was built from, lowest address first.", Examples)
        {
            file, tainting, format, json,
        };
        command.SetAction(p =>
        {
            var path = p.GetRequiredValue(file);
            using var dump = DumpArgument.Open(path);
            var kernel = KernelArgument.Open(dump, path);
            if (kernel.Symbols is null || kernel.Types is null)
                throw KernelArgument.Absent(kernel, "modules");
            KernelModule[] modules = [.. kernel.Modules.Where(module => !p.GetValue(tainting) || module.Taints != 0).OrderBy(module => module.Base)];
            if (p.GetValue(json))
                WriteJson(modules);
            else if (p.GetValue(format) is not null)
                WriteAsCrash(modules, Console.Out);
            else
                Write(modules, Console.Out);
            KernelArgument.TellGaps(kernel);
            return 0;
        });
        return command;
    }

    private static int Width(KernelModule[] modules, int least) => modules.Select(module => module.Name.Length).Append(least).Max();

    private static void Write(KernelModule[] modules, TextWriter output)
    {
        var width = Width(modules, 4);
        output.WriteLine($"{"BASE",-16}  {"NAME".PadRight(width)}  {"SIZE",8}  {"USE",4}  {"STATE",-6}  {"TAINT",-5}  {"SRCVERSION",-24}  USED BY");
        foreach (var module in modules)
            output.WriteLine(
                ($"{module.Base:x16}  {module.Name.PadRight(width)}  {module.Size,8}  {References(module),4}  {module.State,-6}  "
                + $"{Taint.LettersOf(module.Taints),-5}  {module.SourceVersion ?? "",-24}  {string.Join(',', module.UsedBy)}").TrimEnd());
    }

    private static string References(KernelModule module) => module.References is { } count ? $"{count}" : "-";

    private static void WriteAsCrash(KernelModule[] modules, TextWriter output)
    {
        var (width, sizes) = (Width(modules, 4), modules.Select(module => $"{module.Size}".Length).Append(4).Max());
        output.WriteLine($"     MODULE       {"NAME".PadRight(width)}        BASE        {"SIZE".PadLeft(sizes)}  OBJECT FILE");
        foreach (var module in modules)
            output.WriteLine(
                $"{module.Address:x16}  {module.Name.PadRight(width)}  {module.Base:x16}  {$"{module.Size}".PadLeft(sizes)}  (not loaded)  [CONFIG_KALLSYMS]");
    }

    private static void WriteJson(KernelModule[] modules) => KernelArgument.WriteJson(json =>
    {
        json.WriteStartArray();
        foreach (var module in modules)
        {
            json.WriteStartObject();
            json.WriteString("name", module.Name);
            json.WriteString("address", KernelArgument.Hex(module.Address));
            json.WriteString("base", KernelArgument.Hex(module.Base));
            json.WriteNumber("size", module.Size);
            json.WriteString("state", module.State.ToString());
            json.WriteString("taint", Taint.LettersOf(module.Taints));
            if (module.References is { } references)
                json.WriteNumber("references", references);
            json.WriteString("version", module.Version);
            json.WriteString("srcversion", module.SourceVersion);
            json.WriteBoolean("permanent", module.IsPermanent);
            json.WriteStartArray("used_by");
            foreach (var user in module.UsedBy)
                json.WriteStringValue(user);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });
}
