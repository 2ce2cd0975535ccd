using System.Text.Json;
using System.Text.Json.Serialization;

namespace Netdump.Client.Host;

/// <summary>Why the last <c>start</c> of this boot failed: /run/netdump/failed.json. Who looks hours later still gets the reason.</summary>
/// <param name="BootId">The boot.</param>
/// <param name="At">When.</param>
/// <param name="Check">The check that failed.</param>
public sealed record FailedStart(string BootId, DateTimeOffset At, Check Check)
{
    private const string FilePath = "/run/netdump/failed.json";

    /// <summary>The failure of this boot, or null.</summary>
    public static FailedStart? Read(HostFiles host)
    {
        try
        {
            return host.Read(FilePath) is { Length: > 0 } text && JsonSerializer.Deserialize(text, FailedStartJson.Default.FailedStart) is { } failed
                && failed.BootId == host.Read("/proc/sys/kernel/random/boot_id") ? failed : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Keeps a failure. When /run refuses, nothing is kept: the failure itself is what has to be told.</summary>
    public static void Keep(HostFiles host, DateTimeOffset at, Check check)
    {
        if (host.Read("/proc/sys/kernel/random/boot_id") is not { } boot) return;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(host.Map(FilePath))!);
            File.WriteAllText(host.Map(FilePath), JsonSerializer.Serialize(new FailedStart(boot, at, check), FailedStartJson.Default.FailedStart));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // see above
        }
    }

    /// <summary>Forgets it.</summary>
    public static void Remove(HostFiles host)
    {
        if (host.Exists(FilePath)) File.Delete(host.Map(FilePath));
    }
}

/// <summary>Reflection-free serializer of <see cref="FailedStart"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(FailedStart))]
internal sealed partial class FailedStartJson : JsonSerializerContext;
