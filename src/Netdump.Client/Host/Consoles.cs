namespace Netdump.Client.Host;

/// <summary>What /proc/consoles and the printk settings say of netconsole.</summary>
public sealed class Consoles(HostFiles host)
{
    /// <summary>Level below which messages go to consoles; the first number of /proc/sys/kernel/printk.</summary>
    public int LogLevel => int.TryParse(host.Read("/proc/sys/kernel/printk")?.Split('\t', ' ')[0], out int level) ? level : 0;

    /// <summary>
    /// True when netconsole is driven by its own printer thread ("N" among the flags of /proc/consoles): such a console sends nothing
    /// from a panic, so panic lines come with the dump.
    /// </summary>
    public bool PanicLinesComeWithTheDump
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
