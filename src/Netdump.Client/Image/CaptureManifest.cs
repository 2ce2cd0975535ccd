using System.Text.Json;
using System.Text.Json.Serialization;

namespace Netdump.Client.Image;

/// <summary>What the capture kernel's pid 1 does when the work is over, well or badly.</summary>
public enum FinalAction
{
    /// <summary>Restart the machine.</summary>
    Reboot,

    /// <summary>Stop the machine, power stays on.</summary>
    Halt,

    /// <summary>A shell on the console; the machine restarts when it ends.</summary>
    Shell,
}

/// <summary>One server to dump to. <paramref name="Address"/> is numeric (IPv4 or IPv6): the capture kernel resolves no names.</summary>
/// <param name="Address">Numeric address.</param>
/// <param name="Port">UDP port of the classic protocol, host order.</param>
/// <param name="Name">The name as configured, for messages.</param>
/// <param name="Interface">Index into <see cref="CaptureManifest.Interfaces"/> of the interface that leads there.</param>
public sealed record CaptureServer(string Address, int Port, string Name, int Interface)
{
    /// <summary>The secure channel there; null: the server's key is not known, and the classic protocol is all there is.</summary>
    public CaptureChannel? Secure { get; init; }
}

/// <summary>The secure channel of a server.</summary>
/// <param name="Port">TCP port.</param>
/// <param name="Key">Fingerprint of the server's key, <c>SHA256:…</c>.</param>
public sealed record CaptureChannel(int Port, string Key);

/// <summary>An address of an interface as <c>start</c> saw it, a lease included.</summary>
/// <param name="Address">Numeric address.</param>
/// <param name="PrefixLength">Length of the network's prefix in bits.</param>
public sealed record CaptureAddress(string Address, int PrefixLength);

/// <summary>A route of an interface.</summary>
/// <param name="Destination">Numeric address of the network.</param>
/// <param name="PrefixLength">Bits of <paramref name="Destination"/>; 0 is the default route.</param>
/// <param name="Gateway">Numeric address of the next hop; null: the destination is on the link.</param>
/// <param name="Source">Preferred source address, or null.</param>
public sealed record CaptureRoute(string Destination, int PrefixLength, string? Gateway, string? Source);

/// <summary>A fixed neighbour entry (NETDUMPMACADDR): set as permanent, so that nothing has to be resolved.</summary>
/// <param name="Address">Numeric address of the next hop.</param>
/// <param name="Mac">Six bytes as <c>xx:xx:xx:xx:xx:xx</c>.</param>
public sealed record CaptureNeighbour(string Address, string Mac);

/// <summary>An address that a DHCP server gave the host for a time. The capture kernel asks for it once more before it uses it.</summary>
/// <param name="Address">The address, one of <see cref="CaptureInterface.Addresses"/>.</param>
/// <param name="ClientId">The name by which the host asked for it (DHCP option 61) in hexadecimal digits; null: its hardware address.</param>
public sealed record CaptureLease(string Address, string? ClientId);

/// <summary>A network interface that sends: a device with the addresses and routes that lead to servers.</summary>
public sealed record CaptureInterface
{
    /// <summary>The running system's name; only for messages.</summary>
    public required string Name { get; init; }

    /// <summary>Index into <see cref="CaptureManifest.Devices"/>.</summary>
    public required int Device { get; init; }

    /// <summary>Addresses to set.</summary>
    public required IReadOnlyList<CaptureAddress> Addresses { get; init; }

    /// <summary>Routes to set, in this order: those on the link come before those that need them.</summary>
    public required IReadOnlyList<CaptureRoute> Routes { get; init; }

    /// <summary>Neighbour entries to set.</summary>
    public required IReadOnlyList<CaptureNeighbour> Neighbours { get; init; }

    /// <summary>The address among them that was leased; null when none was.</summary>
    public required CaptureLease? Lease { get; init; }
}

/// <summary>A kernel module in the image.</summary>
/// <param name="Name">Name with underscores, as /proc/modules shows it.</param>
/// <param name="Path">Absolute path in the image of the plain (decompressed) module.</param>
/// <param name="Options">Parameters for finit_module, as a command line has them; usually empty.</param>
public sealed record CaptureModule(string Name, string Path, string Options);

/// <summary>A PHY that the host bound to its own driver, and that the capture kernel must bind the same way if it did not.</summary>
/// <param name="Device">Name on the mdio_bus, e.g. <c>0000:02:00.0:00</c>.</param>
/// <param name="Driver">Name of the driver below /sys/bus/mdio_bus/drivers.</param>
public sealed record PhyBinding(string Device, string Driver);

/// <summary>
/// Everything that <c>netdump start</c> learned and the capture kernel needs: <c>/etc/netdump-capture.json</c> of the capture image. Nothing in it
/// has a default: start writes all of it, and what lacks a part is no manifest.
/// </summary>
public sealed record CaptureManifest
{
    /// <summary>Path of the manifest in the capture image; its presence makes a pid 1 the capture supervisor.</summary>
    public const string ImagePath = "/etc/netdump-capture.json";

    /// <summary>Host name of the dead host.</summary>
    public required string HostName { get; init; }

    /// <summary>/proc/sys/kernel/random/boot_id of the dead kernel, as netconsole's userdata told it.</summary>
    public required string BootId { get; init; }

    /// <summary>Release of the dead kernel, which is also the capture kernel's.</summary>
    public required string KernelRelease { get; init; }

    /// <summary>Servers in the order to try.</summary>
    public required IReadOnlyList<CaptureServer> Servers { get; init; }

    /// <summary>Devices of the interfaces, and what they are made of: each comes after those below it.</summary>
    public required IReadOnlyList<CaptureDevice> Devices { get; init; }

    /// <summary>Interfaces that lead to the servers; at least one.</summary>
    public required IReadOnlyList<CaptureInterface> Interfaces { get; init; }

    /// <summary>Modules in the order to load: dependencies come first. A module that fails is reported and skipped.</summary>
    public required IReadOnlyList<CaptureModule> Modules { get; init; }

    /// <summary>PHY drivers that were bound on the host.</summary>
    public required IReadOnlyList<PhyBinding> PhyBindings { get; init; }

    /// <summary>The classic protocol may be used: none of the servers has a secure channel, or CLASSIC_FALLBACK=yes.</summary>
    public required bool Classic { get; init; }

    /// <summary>The magic of the classic protocol, 16 hexadecimal digits; null: made of the boot id, which is no secret.</summary>
    public string? Magic { get; init; }

    /// <summary>Identity of the spool; null: there is none.</summary>
    public Guid? Spool { get; init; }

    /// <summary>Fingerprint of the key this host is enrolled with, for messages; null: it has none.</summary>
    public string? HostKey { get; init; }

    /// <summary>UDP port to send from; 6666 as the original's LOCALPORT.</summary>
    public required int LocalPort { get; init; }

    /// <summary>pid 1 gives up after so many seconds without progress.</summary>
    public required int GiveUpSeconds { get; init; }

    /// <summary>What to do in the end.</summary>
    public required FinalAction FinalAction { get; init; }

    /// <summary>The host used /dev/watchdog: open it and feed it.</summary>
    public required bool Watchdog { get; init; }

    /// <summary>Print size and xxh128 of /proc/vmcore on the console before the dump.</summary>
    public required bool Digest { get; init; }

    /// <summary>Which pages are left out (DUMPLEVEL); null: as <see cref="Send.SendOptions.DumpLevel"/> has it.</summary>
    public required int? DumpLevel { get; init; }

    /// <summary>The manifest as UTF-8 JSON.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, CaptureManifestJson.Default.CaptureManifest);

    /// <summary>Reads a manifest back.</summary>
    /// <exception cref="JsonException">The text is not a manifest.</exception>
    public static CaptureManifest FromJson(ReadOnlySpan<byte> utf8) =>
        JsonSerializer.Deserialize(utf8, CaptureManifestJson.Default.CaptureManifest) ?? throw new JsonException("the capture manifest is empty");
}

/// <summary>Reflection-free serializer of <see cref="CaptureManifest"/>, for NativeAOT.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, WriteIndented = true,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(CaptureManifest))]
internal sealed partial class CaptureManifestJson : JsonSerializerContext;
