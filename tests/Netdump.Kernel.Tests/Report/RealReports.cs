using System.Text;
using Netdump.Kernel.Report;
using Netdump.Vmcore;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Report;

/// <summary>Reports of the real dumps, made once.</summary>
internal static class RealReports
{
    private static readonly Dictionary<string, Lazy<CrashReport>> Made = new[] { Crashes.Linux61FourLevel, Crashes.Linux61, Crashes.Linux73, Crashes.Arm64 }
        .ToDictionary(path => path, path => new Lazy<CrashReport>(() => Of(path)));

    public static CrashReport FourLevel => Made[Crashes.Linux61FourLevel].Value;
    public static CrashReport Linux61 => Made[Crashes.Linux61].Value;
    public static CrashReport Linux73 => Made[Crashes.Linux73].Value;
    public static CrashReport Arm64 => Made[Crashes.Arm64].Value;

    /// <summary>Folder of a dump's golden files, and its report.</summary>
    public static CrashReport ByFolder(string folder) => folder switch
    {
        "linux-6.1-sysrq-4level" => FourLevel,
        "linux-6.1-sysrq" => Linux61,
        "linux-7.3-sysrq-full" => Linux73,
        _ => Arm64,
    };

    public static CrashReport Of(string path, string? console = null)
    {
        using VmcoreFile dump = VmcoreFile.Open(path);
        return ReportBuilder.Build(dump, "netdump test", TimeProvider.System, console is null ? null : new MemoryStream(Encoding.UTF8.GetBytes(console)));
    }

    public static string Text(CrashReport report) => ReportFormTests.Text(report);

    public static string Json(CrashReport report)
    {
        var output = new MemoryStream();
        ReportJson.Write(output, report);
        return Encoding.UTF8.GetString(output.ToArray());
    }

    /// <summary>A file of a dump's folder.</summary>
    public static string Golden(string folder, string name) => File.ReadAllText(SharedData.File(folder, name));
}
