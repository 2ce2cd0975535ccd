using Netdump.Server.Store;

namespace Netdump.Server.Tests.Storage;

/// <summary>A crash directory that is gone after the test.</summary>
internal sealed class TemporaryCrash : IDisposable
{
    public TemporaryCrash() => Directory = new CrashDirectory(System.IO.Directory.CreateTempSubdirectory("netdump-storage-").FullName);

    public CrashDirectory Directory { get; }

    public byte[] Read(string name) => File.ReadAllBytes(Directory.File(name));

    public bool Has(string name) => File.Exists(Directory.File(name));

    /// <summary>Bytes of disk the file takes.</summary>
    public long DiskBytes(string name)
    {
        using var du = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("du", ["--block-size=1", Directory.File(name)]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        string line = du.StandardOutput.ReadToEnd();
        du.WaitForExit();
        return long.Parse(line.Split('\t')[0]);
    }

    public void Dispose() => System.IO.Directory.Delete(Directory.Path, recursive: true);
}
