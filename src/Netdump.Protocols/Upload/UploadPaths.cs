namespace Netdump.Protocols.Upload;

/// <summary>Paths, header fields and limits of the secure upload; docs/upload.md is the contract.</summary>
public static class UploadPaths
{
    /// <summary>TCP port when none is named.</summary>
    public const int DefaultPort = 6667;

    /// <summary>POST: announces a crash (<see cref="CrashAnnouncement"/>), answered with <see cref="CrashAnswer"/> and its Location.</summary>
    public const string Crashes = "/upload/v1/crashes";

    /// <summary>GET: what the server knows of the host that asks (<see cref="HostStanding"/>).</summary>
    public const string Host = "/upload/v1/host";

    /// <summary>POST: enrols the key of this connection by a token (<see cref="TokenEnrolment"/>), answered with <see cref="HostStanding"/>.</summary>
    public const string Enrol = "/upload/v1/enrol";

    /// <summary>Below a crash. PUT: the dead kernel's log.</summary>
    public const string Log = "log";

    /// <summary>Below a crash. PUT: the list of tasks, text.</summary>
    public const string Tasks = "tasks";

    /// <summary>Below a crash. POST, HEAD, PATCH, DELETE: the vmcore, by tus 1.0.</summary>
    public const string Vmcore = "vmcore";

    /// <summary>Below a crash. POST: all is sent (<see cref="CrashDone"/>), answered with <see cref="CrashResult"/>.</summary>
    public const string Done = "done";

    /// <summary>Content type of a log that consists of extended netconsole records, as /dev/kmsg gives them; <c>text/plain</c> is the other.</summary>
    public const string RecordsType = "text/x-kmsg";

    /// <summary>Bytes of a block: what our client sends in one PATCH, with one digest.</summary>
    public const int BlockSize = 8 << 20;

    /// <summary>Most bytes of a PATCH with a checksum: the server holds it until the digest is known to be right.</summary>
    public const int LongestBlock = 16 << 20;

    /// <summary>Most bytes of a JSON message.</summary>
    public const int LongestMessage = 64 << 10;

    /// <summary>Most bytes of a log or a list of tasks.</summary>
    public const int LongestText = 64 << 20;
}
