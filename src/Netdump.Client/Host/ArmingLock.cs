namespace Netdump.Client.Host;

/// <summary>Lets one netdump only change this host at a time: a lock on /run/netdump/lock, gone with the process that holds it.</summary>
public static class ArmingLock
{
    private const string FilePath = "/run/netdump/lock";

    /// <summary>Takes the lock; disposing of what is given lets it go.</summary>
    /// <exception cref="ClientException">Another netdump has it, or /run cannot be written.</exception>
    public static IDisposable Take(HostFiles host) =>
        TryTake(host) ?? throw new ClientException("another netdump arms or disarms this host just now", "try again in a moment");

    /// <summary>Takes the lock, or gives null when another netdump has it.</summary>
    /// <exception cref="ClientException">/run cannot be written.</exception>
    public static IDisposable? TryTake(HostFiles host)
    {
        string path = host.Map(FilePath);
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            if (!File.Exists(path)) File.WriteAllText(path, "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ClientException($"cannot write {FilePath}: {e.Message}", "make /run writable", e);
        }
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None); // flock(2)
        }
        catch (IOException)
        {
            return null;
        }
    }
}
