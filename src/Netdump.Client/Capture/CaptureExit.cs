namespace Netdump.Client.Capture;

/// <summary>Exit codes by which the child tells pid 1 how the work went. Every other end is a failure, after which it is started again.</summary>
public static class CaptureExit
{
    /// <summary>The server has everything and said to reboot.</summary>
    public const int Done = 0;

    /// <summary>It failed and may succeed when it is started again.</summary>
    public const int Failed = 1;

    /// <summary>Starting it again cannot help: there is no /proc/vmcore or no manifest.</summary>
    public const int Hopeless = 3;
}
