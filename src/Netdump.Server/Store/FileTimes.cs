namespace Netdump.Server.Store;

/// <summary>When a file was written last.</summary>
internal static class FileTimes
{
    /// <summary>Time of the last write, UTC; long ago when there is no such file.</summary>
    public static DateTimeOffset WrittenAt(string path) => new(File.GetLastWriteTimeUtc(path), TimeSpan.Zero);
}
