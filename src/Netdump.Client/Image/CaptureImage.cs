using System.IO.Compression;
using Netdump.Client.Trust;

namespace Netdump.Client.Image;

/// <summary>The capture kernel's initramfs: our own program as /init, its libraries, drivers, firmware and the manifest.</summary>
/// <param name="Program">Path of our own program on the host.</param>
/// <param name="Libraries">Shared libraries of the program.</param>
/// <param name="Drivers">Modules and firmware.</param>
/// <param name="Shell">The shell of <see cref="FinalAction.Shell"/>; null: none.</param>
/// <param name="Manifest">What the capture kernel has to do.</param>
public sealed record CaptureImage(string Program, ProgramFiles Libraries, DriverSet Drivers, ImageFile? Shell, CaptureManifest Manifest)
{
    private static readonly string[] Directories = ["/proc", "/sys", "/dev", "/run", "/tmp", "/etc"];

    /// <summary>Writes the image as a gzip-compressed cpio archive, piece by piece: it is never whole in our own memory.</summary>
    /// <param name="output">Takes it.</param>
    /// <param name="identity">What the capture kernel shows a server of itself; null without the secure channel.</param>
    /// <returns>Bytes before compression, which is what it takes of the capture kernel's memory when unpacked.</returns>
    /// <exception cref="IOException">A file cannot be read or the output not written.</exception>
    internal long Write(Stream output, CaptureIdentity? identity = null)
    {
        using var packed = new GZipStream(output, CompressionLevel.Fastest, leaveOpen: true);
        var archive = new CpioWriter(packed);
        foreach (string directory in Directories) archive.AddDirectory(directory);
        // The kernel opens /dev/console for pid 1 before anything is mounted. Numbers: Documentation/admin-guide/devices.txt.
        archive.AddCharacterDevice("/dev/console", 5, 1);
        archive.AddCharacterDevice("/dev/null", 1, 3, 0x1B6 /* 0666 */);
        archive.AddCharacterDevice("/dev/kmsg", 1, 11);
        archive.AddFile("/init", File.ReadAllBytes(Program), executable: true);
        foreach (ImageFile library in Libraries.Files) archive.AddFile(library.Path, File.ReadAllBytes(library.Source), executable: true);
        foreach ((string path, string target) in Libraries.Links)
            if (!archive.Contains(path)) archive.AddLink(path, target);
        if (Shell is not null)
        {
            archive.AddFile(Shell.Path, File.ReadAllBytes(Shell.Source), executable: true);
            archive.AddLink(StaticShell.Name, Shell.Path);
        }
        foreach (ModuleFile module in Drivers.Modules) archive.AddFile(DriverSet.PathOf(Manifest.KernelRelease, module), Drivers.Bytes(module));
        foreach (ImageFile firmware in Drivers.Firmware) archive.AddFile(firmware.Path, PackedFile.Read(firmware.Source));
        if (identity is not null)
        {
            archive.AddSecretFile(CaptureIdentity.KeyPath, identity.Key.Span);
            archive.AddSecretFile(CaptureIdentity.CertificatePath, identity.Certificate);
        }
        archive.AddSecretFile(CaptureManifest.ImagePath, Manifest.ToJson());
        archive.Finish();
        return archive.Length;
    }
}
