using System.Text.Json.Serialization;

namespace Netdump.Server.Store;

/// <summary>Who sends a dump and how it is laid out: the first 4 KiB of a <c>.session</c> file, as JSON.</summary>
public sealed record SessionHeader
{
    /// <summary>Version of the file's layout; this program writes 1.</summary>
    public int Format { get; init; } = 1;

    /// <summary>Address of the client in text.</summary>
    public required string Address { get; init; }

    /// <summary>Source port of the client's START.</summary>
    public required int Port { get; init; }

    /// <summary>When the dump's START came, by the server's clock.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>ELF machine number of the client.</summary>
    public required uint Machine { get; init; }

    /// <summary>Bytes of one page.</summary>
    public required uint PageSize { get; init; }

    /// <summary>Pages of the dump, holes included.</summary>
    public required ulong PageCount { get; init; }

    /// <summary>Whether the client speaks our extension of the protocol.</summary>
    public required bool Extension { get; init; }

    /// <summary>The client's magic, as 16 hexadecimal digits; absent when its START named none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Magic { get; init; }

    /// <summary>Kernel address of the crashing task as START named it; together with the magic it tells one crash from the next.</summary>
    public required ulong TaskStruct { get; init; }

    /// <summary>Whether the file's header is the client's own /proc/vmcore header (else the original server's layout).</summary>
    public required bool KernelHeader { get; init; }

    /// <summary>Bytes of the header area of vmcore-incomplete.</summary>
    public required long HeaderBytes { get; init; }
}

[JsonSerializable(typeof(SessionHeader))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class SessionJson : JsonSerializerContext;
