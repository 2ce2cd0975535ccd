using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Netdump.Client.Linux;

namespace Netdump.Client.Tests.Linux;

/// <summary>An empty network namespace for one test: a thread of its own leaves the machine's network for good (unshare(2)).</summary>
internal static partial class NetworkNamespace
{
    private const int NewNetwork = 0x40000000; // CLONE_NEWNET

    public static void Run(Action<RouteNetlink> test)
    {
        ExceptionDispatchInfo? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                if (NativeUnshare(NewNetwork) != 0) throw LinuxException.Last("make a network namespace (the tests run as root)");
                using RouteNetlink netlink = new();
                test(netlink);
            }
            catch (Exception error)
            {
                failure = ExceptionDispatchInfo.Capture(error);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
    }

    /// <summary>Runs iproute2's ip in the calling thread's namespace; a process is forked by the thread that starts it.</summary>
    public static void Ip(string arguments)
    {
        using Process ip = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardError = true, UseShellExecute = false })!;
        string complaint = ip.StandardError.ReadToEnd();
        ip.WaitForExit();
        Assert.True(ip.ExitCode == 0, $"ip {arguments}: {complaint}");
    }

    [LibraryImport("libc", EntryPoint = "unshare", SetLastError = true)]
    private static partial int NativeUnshare(int flags);
}
