namespace Netdump.EndToEnd;

/// <summary>Item 51 of the operators' checklist: no unit of ours takes part in an ordering cycle.</summary>
public class SystemdUnitTests
{
    private static readonly string Units = Path.Combine(Workspace.Root, "packaging/systemd");

    [Fact]
    public void Item_51_systemd_finds_nothing_wrong_with_our_units()
    {
        string scratch = Workspace.Scratch();
        List<string> arguments = ["verify", "--man=no"];
        foreach (string name in Directory.GetFiles(Units).Select(path => Path.GetFileName(path)))
        {
            string unit = Path.Combine(scratch, name);
            // The program is not installed here; systemd looks whether it can be run.
            File.WriteAllText(unit, File.ReadAllText(Path.Combine(Units, name))
                .Replace("/usr/sbin/netdump", Workspace.Client, StringComparison.Ordinal)
                .Replace("/usr/bin/netdump-server", Workspace.Server, StringComparison.Ordinal));
            arguments.Add(unit);
        }
        (int exit, string output) = Command.Run("systemd-analyze", [.. arguments]);
        Assert.True(exit == 0, output);
        Assert.Contains(arguments, a => a.EndsWith("netdump-server.service", StringComparison.Ordinal));
        Assert.DoesNotContain("netdump", output, StringComparison.Ordinal); // complaints about units of the system are not ours
        Directory.Delete(scratch, recursive: true);
    }

    [Fact]
    public void Item_51_the_clients_units_come_before_nothing_and_keep_the_default_dependencies()
    {
        foreach (string unit in Directory.GetFiles(Units, "netdump.service").Concat(Directory.GetFiles(Units, "netdump-watch.service")))
        {
            string[] lines = File.ReadAllLines(unit);
            Assert.DoesNotContain(lines, l => l.StartsWith("Before=", StringComparison.Ordinal) || l.StartsWith("DefaultDependencies=", StringComparison.Ordinal));
            Assert.Contains(lines, l => l.StartsWith("After=local-fs.target", StringComparison.Ordinal));
        }
    }
}
