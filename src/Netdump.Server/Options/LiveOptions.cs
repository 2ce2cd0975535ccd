namespace Netdump.Server.Options;

/// <summary>The settings in force now. SIGHUP replaces them; who needs a setting reads it here each time, from any thread.</summary>
public sealed class LiveOptions
{
    private volatile ServerOptions _current;

    /// <summary>Starts with these settings.</summary>
    public LiveOptions(ServerOptions options) => _current = options;

    /// <summary>The settings in force.</summary>
    public ServerOptions Current
    {
        get => _current;
        set => _current = value;
    }
}
