namespace Netdump.EndToEnd;

/// <summary>A small disk that outlives the servers on it: a file system in memory, in a mount namespace that a program of its own holds.</summary>
public sealed class SmallDisk : IDisposable
{
    private readonly Command _holder;
    private readonly bool _isRoot = Environment.UserName == "root";

    public SmallDisk(string path, int mebibytes)
    {
        Directory.CreateDirectory(path);
        Path = path;
        string[] space = _isRoot ? ["--mount"] : ["--mount", "--map-root-user"];
        _holder = new Command("unshare", [.. space, "sh", "-c", $"mount -t tmpfs -o size={mebibytes}m,mode=700 tmpfs '{path}' && echo mounted && exec sleep infinity"]);
        _holder.WaitForLine("mounted", TimeSpan.FromSeconds(20));
    }

    /// <summary>Where it is mounted, for programs started by <see cref="Inside"/>.</summary>
    public string Path { get; }

    /// <summary>Where its files are seen by others.</summary>
    public string Outside => $"/proc/{_holder.Id}/root{Path}";

    /// <summary>Starts a program that sees the disk.</summary>
    public Command Inside(string file, params string[] arguments) =>
        new("nsenter", ["--target", $"{_holder.Id}", "--mount", .. _isRoot ? Array.Empty<string>() : ["--user", "--preserve-credentials"], file, .. arguments]);

    public void Dispose() => _holder.Dispose();
}
