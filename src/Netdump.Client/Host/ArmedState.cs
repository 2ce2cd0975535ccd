using System.Text.Json;
using System.Text.Json.Serialization;

namespace Netdump.Client.Host;

/// <summary>What <c>start</c> did and <c>stop</c> has to undo: /run/netdump/state.json, gone with the next boot as the crash kernel is.</summary>
public sealed record ArmedState
{
    private const string DirectoryPath = "/run/netdump";
    private const string FilePath = DirectoryPath + "/state.json";

    /// <summary>Boot the state belongs to; of another boot it means nothing.</summary>
    public required string BootId { get; init; }

    /// <summary>When it was armed.</summary>
    public required DateTimeOffset ArmedAt { get; init; }

    /// <summary>True when a crash kernel was loaded; false for console lines only.</summary>
    public bool CrashKernel { get; init; }

    /// <summary>Image of the crash kernel.</summary>
    public string? Kernel { get; init; }

    /// <summary>Release of the crash kernel.</summary>
    public string? Release { get; init; }

    /// <summary>Bytes of the capture image, compressed.</summary>
    public long ImageBytes { get; init; }

    /// <summary>Bytes of the capture image, unpacked.</summary>
    public long UnpackedBytes { get; init; }

    /// <summary>Kernel settings (below /proc/sys/kernel) that were changed, and what they were before.</summary>
    public IReadOnlyDictionary<string, string> SettingsBefore { get; init; } = new Dictionary<string, string>();

    /// <summary>Triggers in force, as <see cref="Triggers.Parse"/> reads them.</summary>
    public string Triggers { get; init; } = "none";

    /// <summary>True when <see cref="Triggers"/> were given to <c>start</c> itself: they stay over a restart, whatever the configuration says.</summary>
    public bool TriggersByOption { get; init; }

    /// <summary>What the loaded image is made of; null: console lines only.</summary>
    public ImageFingerprint? Image { get; init; }

    /// <summary>netconsole targets that were made.</summary>
    public required IReadOnlyList<string> ConsoleTargets { get; init; }

    /// <summary>Where a crash of this host will lie on the first server, up to the time in the name.</summary>
    public string? Directory { get; init; }

    /// <summary>Configuration file that was used.</summary>
    public string? Configuration { get; init; }

    /// <summary>The state of this boot, or null when nothing was armed.</summary>
    public static ArmedState? Read(HostFiles host)
    {
        if (host.Read(FilePath) is not { Length: > 0 } text) return null;
        try
        {
            ArmedState? state = JsonSerializer.Deserialize(text, StateJson.Default.ArmedState);
            return state?.BootId == host.Read("/proc/sys/kernel/random/boot_id") ? state : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Keeps the state for <c>stop</c> and <c>status</c>.</summary>
    /// <exception cref="ClientException">/run cannot be written.</exception>
    public void Save(HostFiles host)
    {
        try
        {
            System.IO.Directory.CreateDirectory(host.Map(DirectoryPath)); // readable by everybody, for status: nothing in it is secret
            string next = host.Map(FilePath + ".new");
            File.WriteAllText(next, JsonSerializer.Serialize(this, StateJson.Default.ArmedState) + "\n");
            File.Move(next, host.Map(FilePath), overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ClientException($"cannot write {FilePath}: {e.Message}", "make /run writable: netdump stop finds there what to undo", e);
        }
    }

    /// <summary>Forgets the state.</summary>
    public static void Remove(HostFiles host) => File.Delete(host.Map(FilePath));
}

/// <summary>Reflection-free serializer of <see cref="ArmedState"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(ArmedState))]
internal sealed partial class StateJson : JsonSerializerContext;
