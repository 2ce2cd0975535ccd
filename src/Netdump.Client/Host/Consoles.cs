namespace Netdump.Client.Host;

/// <summary>What /proc/consoles and the printk settings say of netconsole.</summary>
public sealed class Consoles(HostFiles host)
{
    /// <summary>Warns when messages do not all go to consoles; null when they do.</summary>
    public Check? LogLevel() => Level >= 8 ? null
        : new(CheckLevel.Warn, "loglevel", $"console_loglevel is {Level}: messages of level {Level} and above are not sent live", "dmesg -n 8", "console-off");

    /// <summary>
    /// Says when netconsole is driven by its own printer thread ("N" among the flags of /proc/consoles): such a console sends nothing
    /// from a panic. Null when it is not.
    /// </summary>
    public Check? PanicLines() => !HasPrinterThread ? null
        : new(CheckLevel.Ok, "console", "this kernel's netconsole sends nothing from a panic (flag N in /proc/consoles): those lines come with the dump");

    /// <summary>Level below which messages go to consoles; the first number of /proc/sys/kernel/printk.</summary>
    private int Level => int.TryParse(host.Read("/proc/sys/kernel/printk")?.Split('\t', ' ')[0], out int level) ? level : 0;

    private bool HasPrinterThread
    {
        get
        {
            foreach (string line in host.Lines("/proc/consoles"))
            {
                if (!line.StartsWith("netcon", StringComparison.Ordinal)) continue;
                int open = line.IndexOf('(', StringComparison.Ordinal), close = line.IndexOf(')', StringComparison.Ordinal);
                if (open >= 0 && close > open && line.AsSpan(open, close - open).Contains('N')) return true;
            }
            return false;
        }
    }
}
