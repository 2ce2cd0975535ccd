using System.Globalization;

namespace Netdump.Server;

/// <summary>A file with the process id and a newline, as init scripts expect it; removed when the server ends.</summary>
internal sealed class PidFile : IDisposable
{
    private readonly string _path;

    /// <summary>Writes the file, over one a dead process left. Throws <see cref="StartException"/>.</summary>
    public PidFile(string path)
    {
        _path = Path.GetFullPath(path);
        try
        {
            File.WriteAllText(_path, Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartException($"cannot write the pid file {_path}: {e.Message}; choose another with --pidfile FILE", e);
        }
    }

    /// <summary>Removes the file.</summary>
    public void Dispose()
    {
        try
        {
            File.Delete(_path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The server ends: a file left behind names a process that is gone, which readers must expect anyway.
        }
    }
}
