using System.Globalization;
using System.Text;

namespace Netdump.Vmcore;

/// <summary>VMCOREINFO: the kernel's own text about where its structures lie (kernel/vmcore_info.c). Lines <c>KEY=VALUE</c>.</summary>
/// <remarks>
/// Keys match exactly, unknown ones are kept, and of two equal ones the first counts. A value that does not have its kind's form counts as
/// absent: a reader of the dump then misses the key by name instead of going astray.
/// </remarks>
public sealed class VmcoreInfo
{
    /// <summary>The most bytes the kernel gives to this text; a longer one is refused at sixteen times that.</summary>
    public const int KernelLimit = 4096;

    private readonly Dictionary<string, string> _values;

    private VmcoreInfo(Dictionary<string, string> values, bool isCut)
    {
        _values = values;
        IsCut = isCut;
    }

    /// <summary>All keys with their values as text, unknown ones included.</summary>
    public IReadOnlyDictionary<string, string> Values => _values;

    /// <summary>Whether the last line had no end: the kernel ran out of room (or the note was cut), so that line's value is suspect and left out.</summary>
    public bool IsCut { get; }

    /// <summary>OSRELEASE: the kernel release, as uname -r prints it.</summary>
    public string? Release => _values.GetValueOrDefault("OSRELEASE");

    /// <summary>BUILD-ID: 40 hexadecimal digits.</summary>
    public string? BuildId => _values.GetValueOrDefault("BUILD-ID");

    /// <summary>PAGESIZE in bytes, when it is a power of two from 4096 to 65536.</summary>
    public int? PageSize => Decimal("PAGESIZE") is { } size and >= 4096 and <= 65536 && (size & (size - 1)) == 0 ? (int)size : null;

    /// <summary>KERNELOFFSET: how far KASLR moved the kernel, in bytes. Already part of every <see cref="Symbol"/>.</summary>
    public ulong? KernelOffset => Hexadecimal("KERNELOFFSET");

    /// <summary>CRASHTIME: when the kernel crashed; absent in a dump of a running kernel.</summary>
    public DateTimeOffset? CrashTime =>
        Decimal("CRASHTIME") is { } seconds and >= 0 and <= 253402300799 ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;

    /// <summary>NUMBER(phys_base): physical minus linked address of the kernel image on x86_64; negative values are common.</summary>
    public long? PhysicalBase => Number("phys_base");

    /// <summary>NUMBER(KERNEL_IMAGE_SIZE): bytes from 0xffffffff80000000 that the kernel image may use (x86_64).</summary>
    public ulong? KernelImageSize => UnsignedNumber("KERNEL_IMAGE_SIZE");

    /// <summary>NUMBER(sme_mask): the encryption bit in page-table entries; 0 when absent.</summary>
    public ulong EncryptionMask => UnsignedNumber("sme_mask") ?? 0;

    /// <summary>
    /// Whether the kernel ran with five levels of page tables (x86_64): NUMBER(pgtable_l5_enabled), and without that key whether
    /// mem_section, which is in the direct map, lies below where four levels reach.
    /// </summary>
    public bool FiveLevelPaging => Number("pgtable_l5_enabled") is { } enabled
        ? enabled != 0
        : Symbol("mem_section") is { } section and < 0xffff_8000_0000_0000 and >= 0xff00_0000_0000_0000;

    /// <summary>Reads the text.</summary>
    /// <param name="text">The note's bytes; NUL padding at the end is ignored.</param>
    /// <exception cref="VmcoreFormatException">More bytes than any kernel writes.</exception>
    public static VmcoreInfo Parse(ReadOnlySpan<byte> text)
    {
        if (text.Length > KernelLimit * 16)
            throw new VmcoreFormatException(0, $"VMCOREINFO has {text.Length} bytes, a kernel writes {KernelLimit} at most");
        var end = text.IndexOf((byte)0);
        if (end >= 0)
            text = text[..end];
        var values = new Dictionary<string, string>();
        while (!text.IsEmpty)
        {
            var newline = text.IndexOf((byte)'\n');
            if (newline < 0)
                return new VmcoreInfo(values, isCut: true);
            var line = text[..newline];
            text = text[(newline + 1)..];
            var equals = line.IndexOf((byte)'=');
            if (equals > 0)
                values.TryAdd(Encoding.UTF8.GetString(line[..equals]), Encoding.UTF8.GetString(line[(equals + 1)..]));
        }
        return new VmcoreInfo(values, isCut: false);
    }

    /// <summary>SYMBOL(name): run-time virtual address, KASLR included; for mem_section of modern kernels the pointer's value.</summary>
    public ulong? Symbol(string name) => Hexadecimal($"SYMBOL({name})");

    /// <summary>NUMBER(name): decimal and signed, or hexadecimal after 0x (then a value above 2^63 comes out negative).</summary>
    public long? Number(string name) => Decimal($"NUMBER({name})");

    /// <summary>NUMBER(name) for an address or a mask: the same 64 bits without a sign.</summary>
    public ulong? UnsignedNumber(string name) => unchecked((ulong?)Number(name));

    /// <summary>SIZE(type) in bytes, when it is from 1 to 2^24.</summary>
    public int? Size(string type) => Small($"SIZE({type})") is { } size and > 0 ? size : null;

    /// <summary>OFFSET(type.member) in bytes, when it is below 2^24.</summary>
    public int? Offset(string member) => Small($"OFFSET({member})");

    /// <summary>LENGTH(array) in elements, when it is below 2^24.</summary>
    public int? Length(string array) => Small($"LENGTH({array})");

    private int? Small(string key) => Decimal(key) is { } value and >= 0 and < 1 << 24 ? (int)value : null;

    private long? Decimal(string key)
    {
        if (!_values.TryGetValue(key, out var text))
            return null;
        if (text.StartsWith("0x", StringComparison.Ordinal))
            return ulong.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var bits)
                ? unchecked((long)bits)
                : null;
        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value : null;
    }

    private ulong? Hexadecimal(string key) =>
        _values.TryGetValue(key, out var text)
        && ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;
}
