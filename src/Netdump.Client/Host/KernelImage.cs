using System.Buffers.Binary;
using System.Text;

namespace Netdump.Client.Host;

/// <summary>Finds the image of the running kernel: the capture kernel is that same kernel, signed and with the drivers at hand.</summary>
public static class KernelImage
{
    /// <summary>Finds the image.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="release">Release of the running kernel.</param>
    /// <param name="configured">KERNEL of the configuration, or null.</param>
    /// <returns>Path on the host.</returns>
    /// <exception cref="ClientException">There is none, or the configured one is of another release.</exception>
    public static string Find(HostFiles host, string release, string? configured)
    {
        string[] places = configured is not null ? [configured]
            : [$"/boot/vmlinuz-{release}", $"/lib/modules/{release}/vmlinuz", $"/usr/lib/modules/{release}/vmlinuz", $"/boot/kernel-{release}", .. BootImages(host, release)];
        string path = places.FirstOrDefault(host.Exists)
            ?? throw new ClientException(configured is null ? $"the running kernel's image is not in {places[0]} or {places[1]}" : $"KERNEL={configured} does not exist",
                "set KERNEL=/path/to/vmlinuz");
        if (ReleaseOf(host.Map(path)) is { } found && found != release)
            throw new ClientException($"{path} is kernel {found}, but {release} runs", "reboot into it, or set KERNEL= to the running kernel's image");
        return path;
    }

    /// <summary>Release that an x86 bzImage says of itself (Documentation/arch/x86/boot.rst: "HdrS" at 0x202, kernel_version at 0x20E); null for other files.</summary>
    public static string? ReleaseOf(string file)
    {
        byte[] head = new byte[0x10000];
        using FileStream stream = File.OpenRead(file);
        int length = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        if (length < 0x210 || !head.AsSpan(0x202).StartsWith("HdrS"u8)) return null;
        int at = BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(0x20E)) + 0x200;
        if (at == 0x200 || at >= length) return null;
        ReadOnlySpan<byte> text = head.AsSpan(at, length - at);
        int end = text.IndexOfAny((byte)' ', (byte)0);
        return end > 0 ? Encoding.ASCII.GetString(text[..end]) : null;
    }

    /// <summary>
    /// Whether an image carries a signature, by whatever key: its PE header has a certificate table (data directory 4 of the optional
    /// header, Microsoft PE format). Null when the file is no PE image or cannot be read.
    /// </summary>
    public static bool? IsSigned(string file)
    {
        byte[] head = new byte[0x1000];
        int length;
        try
        {
            using FileStream stream = File.OpenRead(file);
            length = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        if (length < 0x40 || !head.AsSpan().StartsWith("MZ"u8)) return null;
        uint pe = BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(0x3C));
        const int FileHeaderEnd = 24;
        if (pe > length - FileHeaderEnd - 2 || !head.AsSpan((int)pe).StartsWith("PE\0\0"u8)) return null;
        int optional = (int)pe + FileHeaderEnd;
        // PE32+ has its directories at 112, PE32 at 96; the number of them stands just before.
        int directories = optional + (BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(optional)) == 0x20B ? 112 : 96);
        const int Certificates = 4, EntrySize = 8;
        if (directories + ((Certificates + 1) * EntrySize) > length) return null;
        return BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(directories - 4)) > Certificates
            && BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(directories + (Certificates * EntrySize) + 4)) > 0;
    }

    /// <summary>What the boot loader says it loaded: BOOT_IMAGE, a path on its own idea of a disk.</summary>
    private static IEnumerable<string> BootImages(HostFiles host, string release)
    {
        string? word = (host.Read("/proc/cmdline") ?? "").Split(' ').FirstOrDefault(w => w.StartsWith("BOOT_IMAGE=", StringComparison.Ordinal));
        if (word is null || !word.EndsWith(release, StringComparison.Ordinal)) yield break;
        string path = word[(word.IndexOf('/', StringComparison.Ordinal) is var slash and >= 0 ? slash : word.Length)..];
        if (path.Length == 0) yield break;
        yield return path;
        yield return "/boot" + path;
    }
}
