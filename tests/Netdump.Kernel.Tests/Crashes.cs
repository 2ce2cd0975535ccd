using Netdump.Vmcore;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests;

/// <summary>The dumps of real crashes that lie beside every checkout, opened once for all tests.</summary>
internal static class Crashes
{
    /// <summary>Debian's 6.1, four-level page tables, level 31.</summary>
    public static string Linux61FourLevel => SharedData.File("linux-6.1-sysrq-4level", "vmcore.kdump");

    /// <summary>Debian's 6.1, five-level page tables, level 31.</summary>
    public static string Linux61 => SharedData.File("linux-6.1-sysrq", "vmcore.kdump-zlib-d31");

    /// <summary>A 7.3 kernel, full memory, with every kind of lock waited for.</summary>
    public static string Linux73 => SharedData.FullCore;

    /// <summary>Debian's 6.12 on arm64, full memory.</summary>
    public static string Arm64 => SharedData.UnpackedPath("linux-6.12-arm64-sysrq", "vmcore.elf.zst");

    /// <summary>Opens a dump; the test disposes of <see cref="CrashedKernel.Dump"/>.</summary>
    public static CrashedKernel Open(string path) => new(VmcoreFile.Open(path));
}
