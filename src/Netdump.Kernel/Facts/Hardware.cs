using System.Globalization;
using System.Text;
using Netdump.Kernel.Symbols;
using Netdump.Vmcore;

namespace Netdump.Kernel.Facts;

/// <summary>The processors, and the machine around them. Null is not known.</summary>
/// <param name="Vendor">The processors' maker.</param>
/// <param name="Model">Their model.</param>
/// <param name="Stepping">Family, model and stepping of x86_64: <c>15-107-1</c>.</param>
/// <param name="Microcode">The first online processor's microcode.</param>
/// <param name="Online">Processors that were in use; on arm64, which takes all but one offline when it panics, those that were there.</param>
/// <param name="Possible">Processors that there could have been.</param>
/// <param name="Megahertz">Their clock.</param>
/// <param name="Dmi">What the firmware says of the machine, by names as below /sys/class/dmi/id. Serial numbers and ids are left out.</param>
public sealed record Hardware(
    string? Vendor, string? Model, string? Stepping, uint? Microcode, int? Online, int? Possible, int? Megahertz, IReadOnlyDictionary<string, string> Dmi)
{
    private const int MostDmiFields = 64;

    private static readonly (string Field, string Name)[] Fields =
    [
        ("DMI_SYS_VENDOR", "sys_vendor"), ("DMI_PRODUCT_NAME", "product_name"), ("DMI_PRODUCT_VERSION", "product_version"), ("DMI_BOARD_VENDOR", "board_vendor"),
        ("DMI_BOARD_NAME", "board_name"), ("DMI_BIOS_VENDOR", "bios_vendor"), ("DMI_BIOS_VERSION", "bios_version"), ("DMI_BIOS_DATE", "bios_date"),
    ];

    /// <summary>The machine in one line; null when the firmware says nothing.</summary>
    public string? Machine => Dmi.TryGetValue("product_name", out var product)
        ? Dmi.TryGetValue("sys_vendor", out var vendor) && !product.StartsWith(vendor, StringComparison.OrdinalIgnoreCase) ? $"{vendor} {product}" : product
        : null;

    internal static Hardware Read(CrashedKernel kernel)
    {
        var symbols = kernel.Symbols;
        var boot = kernel.Variable("boot_cpu_data", "cpuinfo_x86");
        string? stepping = null, vendor = boot["x86_vendor_id"].Text, model = boot["x86_model_id"].Text;
        if (boot["x86"].Unsigned is { } family && boot["x86_model"].Unsigned is { } number && boot["x86_stepping"].Unsigned is { } step)
            stepping = string.Create(CultureInfo.InvariantCulture, $"{family}-{number}-{step}");
        if (kernel.Machine == Machines.Arm64)
            (vendor, model) = Arm64Model(kernel);
        var megahertz = kernel.ReadInt("cpu_khz") is { } kilohertz and > 0 ? kilohertz / 1000 : (int?)null;
        return new Hardware(
            vendor, model?.Trim(), stepping, ReadMicrocode(kernel), Count(kernel.Machine == Machines.Arm64 ? symbols?.Present : symbols?.Online), Count(symbols?.Possible), megahertz, ReadDmi(kernel));
    }

    private static int? Count(ProcessorSet? processors) => processors is { Count: > 0 and var count } ? count : null;

    private static uint? ReadMicrocode(CrashedKernel kernel) =>
        kernel.Types is { } types && kernel.Symbols is { } symbols && symbols.Online is { Count: > 0 } online
        && symbols.OnProcessor("cpu_info", online.First()) is { } at && types.At("cpuinfo_x86", at)["microcode"].Unsigned is { } microcode
            ? (uint)microcode
            : null;

    // MIDR_EL1: implementer in bits 24 to 31, part in 4 to 15 (Arm ARM).
    private static (string? Vendor, string? Model) Arm64Model(CrashedKernel kernel)
    {
        if (kernel.Types is not { } types || kernel.Symbols is not { } symbols || symbols.Online is not { Count: > 0 } online
            || symbols.OnProcessor("cpu_data", online.First()) is not { } at || types.At("cpuinfo_arm64", at)["reg_midr"].Unsigned is not { } midr)
            return (null, null);
        var implementer = midr >> 24 & 0xff;
        return (implementer switch
        {
            0 => "software",
            0x41 => "ARM",
            0x42 => "Broadcom",
            0x43 => "Cavium",
            0x46 => "Fujitsu",
            0x48 => "HiSilicon",
            0x4e => "NVIDIA",
            0x51 => "Qualcomm",
            0x61 => "Apple",
            0xc0 => "Ampere",
            _ => $"implementer 0x{implementer:x}"
        }, $"part 0x{midr >> 4 & 0xfff:x}");
    }

    private static Dictionary<string, string> ReadDmi(CrashedKernel kernel)
    {
        var dmi = new Dictionary<string, string>(StringComparer.Ordinal);
        if (kernel.Types is not { } types || !kernel.TryFind("dmi_ident", out var table) || types.EnumValue("dmi_field", "DMI_STRING_MAX") is not { } end)
            return dmi;
        foreach (var (field, name) in Fields)
            if (types.EnumValue("dmi_field", field) is { } index && index >= 0 && index < Math.Min(end, MostDmiFields)
                && kernel.Memory.TryReadUInt64(table + (ulong)index * 8, out var at) && at != 0
                && kernel.Memory.TryReadText(at, 256, out var text) && Encoding.UTF8.GetString(text).Trim() is { Length: > 0 } value)
                dmi.Add(name, value);
        return dmi;
    }
}
