using System.Runtime.CompilerServices;
using System.Xml.Linq;

namespace Netdump.Architecture.Tests;

/// <summary>Arrows go one way: programs use libraries, Protocols and Vmcore know nothing of each other, nor do the two programs.</summary>
public class ReferenceDirection
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Netdump.Protocols"] = [],
        ["Netdump.Vmcore"] = [],
        ["Netdump.Kernel"] = ["Netdump.Vmcore"],
        ["Netdump.Client"] = ["Netdump.Protocols", "Netdump.Vmcore", "Netdump.Kernel"],
        ["Netdump.Server"] = ["Netdump.Protocols", "Netdump.Vmcore", "Netdump.Kernel"],
    };

    private static readonly string Root = FindRoot();

    private static string FindRoot([CallerFilePath] string here = "")
    {
        // A deterministic build maps source paths; the build output still lies inside the checkout.
        for (DirectoryInfo? d = new(File.Exists(here) ? Path.GetDirectoryName(here)! : AppContext.BaseDirectory); d is not null; d = d.Parent)
            if (File.Exists(Path.Combine(d.FullName, "netdump.slnx"))) return d.FullName;
        throw new InvalidOperationException("netdump.slnx not found above " + AppContext.BaseDirectory);
    }

    [Fact]
    public void Projects_reference_only_what_the_plan_allows()
    {
        string[] projects = Directory.GetFiles(Path.Combine(Root, "src"), "*.csproj", SearchOption.AllDirectories);
        Assert.NotEmpty(projects);
        foreach (string project in projects)
        {
            string name = Path.GetFileNameWithoutExtension(project);
            Assert.True(Allowed.ContainsKey(name), $"{name} has no row in the table of allowed references");
            foreach (string reference in XDocument.Load(project).Descendants("ProjectReference")
                         .Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/'))))
                Assert.True(Allowed[name].Contains(reference), $"{name} must not reference {reference}");
        }
    }

    [Fact]
    public void Libraries_use_no_sockets_clock_or_disk_in_protocols()
    {
        string[] forbidden = ["System.Net.Sockets", "System.IO.File", "File.Open", "FileStream", "TimeProvider.System", "Stopwatch", "Console."];
        foreach (string file in Directory.GetFiles(Path.Combine(Root, "src", "Netdump.Protocols"), "*.cs", SearchOption.AllDirectories))
        {
            if (file.Contains("/obj/", StringComparison.Ordinal)) continue;
            string text = File.ReadAllText(file);
            foreach (string word in forbidden)
                Assert.False(text.Contains(word, StringComparison.Ordinal), $"{Path.GetRelativePath(Root, file)} uses {word}");
        }
    }
}
