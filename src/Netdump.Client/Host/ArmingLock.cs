using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>Lets one netdump only change this host at a time: a lock on /run/netdump/lock, gone with the process that holds it.</summary>
public static class ArmingLock
{
    private const string FilePath = "/run/netdump/lock";

    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(100);

    /// <summary>Takes the lock; disposing of what is given lets it go. A look of <c>netdump watch</c> holds it for some seconds.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="limit">How long to wait for another netdump.</param>
    /// <exception cref="ClientException">Another netdump has it for longer, or /run cannot be written.</exception>
    public static IDisposable Take(HostFiles host, TimeSpan limit)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            if (TryTake(host) is { } taken) return taken;
            if (TimeProvider.System.GetElapsedTime(start) >= limit)
                throw new ClientException("another netdump arms or disarms this host just now", "try again in a moment");
            Descriptors.Pause(LookAgain);
        }
    }

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
