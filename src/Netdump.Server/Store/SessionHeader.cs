using System.Net;
using System.Text.Json.Serialization;
using Netdump.Protocols.Classic;

namespace Netdump.Server.Store;

/// <summary>How far the crash of a <c>.session</c> file is.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SessionState>))]
public enum SessionState
{
    /// <summary>Its START was taken; nothing of its memory is here. The file ends behind the header.</summary>
    Opened,

    /// <summary>Memory is being received: the header is followed by the maps.</summary>
    Receiving,

    /// <summary>The vmcore is complete, the client still has to say its state and to be sent away. The file ends behind the header.</summary>
    Stored,

    /// <summary>The client fell silent or left: vmcore-incomplete holds what the map names. Nobody is asked any more.</summary>
    Ended,
}

/// <summary>Who sends a dump and how it is laid out: the first 4 KiB of a <c>.session</c> file, as JSON.</summary>
public sealed record SessionHeader
{
    /// <summary>Version of the file's layout; this program writes 2.</summary>
    public int Format { get; init; } = 2;

    /// <summary>How far the crash is.</summary>
    public required SessionState State { get; init; }

    /// <summary>Address of the client in text.</summary>
    public required string Address { get; init; }

    /// <summary>Source port of the client's START.</summary>
    public required int Port { get; init; }

    /// <summary>Our address that the client talks to; absent when the server listens at one address only.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Local { get; init; }

    /// <summary>When the dump's START came, by the server's clock.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>ELF machine number of the client.</summary>
    public required uint Machine { get; init; }

    /// <summary>Highest version of the protocol that START named, 0 for clients of the first generation.</summary>
    public required uint Version { get; init; }

    /// <summary>Kernel address of the crashing task as START named it; together with the magic it tells one crash from the next.</summary>
    public required ulong TaskStruct { get; init; }

    /// <summary>Start of the kernel's direct map as START named it.</summary>
    public required ulong PageOffset { get; init; }

    /// <summary>The client's magic, as 16 hexadecimal digits; absent when its START named none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Magic { get; init; }

    /// <summary>Whether the client speaks our extension of the protocol.</summary>
    public required bool Extension { get; init; }

    /// <summary>Bytes of one page; 0 until known.</summary>
    public uint PageSize { get; init; }

    /// <summary>Pages of the dump, holes included; 0 until known.</summary>
    public ulong PageCount { get; init; }

    /// <summary>Whether the file's header is the client's own /proc/vmcore header (else the original server's layout).</summary>
    public bool KernelHeader { get; init; }

    /// <summary>Bytes of the header area of vmcore-incomplete.</summary>
    public long HeaderBytes { get; init; }

    /// <summary>
    /// The server machine's boot (/proc/sys/kernel/random/boot_id) in which the maps were written: in the same boot what was handed to
    /// the kernel is there, in another one only what was synced is sure to be.
    /// </summary>
    public string Boot { get; init; } = "";

    /// <summary>The START that opened the crash.</summary>
    [JsonIgnore]
    public ClassicStart Start => new(
        Machine, Version, TaskStruct, PageOffset, Magic is null ? null : Convert.ToUInt64(Magic, 16), Extension);

    /// <summary>The header of a crash that begins.</summary>
    public static SessionHeader Of(in ClassicStart start, IPAddress address, int port, IPAddress? local, DateTimeOffset started) => new()
    {
        State = SessionState.Opened,
        Address = address.ToString(),
        Port = port,
        Local = local?.ToString(),
        Started = started,
        Machine = start.Machine,
        Version = start.Version,
        TaskStruct = start.TaskStruct,
        PageOffset = start.PageOffset,
        Magic = start.Magic is { } magic ? $"{magic:x16}" : null,
        Extension = start.Extension,
    };
}

[JsonSerializable(typeof(SessionHeader))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class SessionJson : JsonSerializerContext;
