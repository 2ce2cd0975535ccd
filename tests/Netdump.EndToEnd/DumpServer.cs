using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Netdump.EndToEnd;

/// <summary>Our own server on a free port of the loopback, with a store of its own.</summary>
public sealed class DumpServer : IDisposable
{
    private readonly Command _command;

    public DumpServer(string store, params string[] more)
        : this(store, FreePort(), more) => WaitUntilListening();

    private DumpServer(string store, int port, string[] more)
    {
        Store = store;
        Port = port;
        _command = new Command(Workspace.Server, Arguments(store, port, more));
    }

    private DumpServer(string store, int port, int mebibytes, string[] more)
    {
        // It goes with the process, whatever happens to the test.
        string[] space = Environment.UserName == "root" ? ["--mount"] : ["--mount", "--map-root-user"];
        string script = $"mount -t tmpfs -o size={mebibytes}m,mode=700 tmpfs \"$0\" && exec \"$@\"";
        _command = new Command("unshare", [.. space, "sh", "-c", script, store, Workspace.Server, .. Arguments(store, port, more)]);
        Store = $"/proc/{_command.Id}/root{store}";
        Port = port;
    }

    /// <summary>A server that is not waited for.</summary>
    public static DumpServer Begin(string store, int port, params string[] more) => new(store, port, more);

    /// <summary>A server whose store is a small disk of its own, which others see by <see cref="Store"/> while it runs.</summary>
    public static DumpServer OnSmallDisk(string store, int mebibytes, params string[] more)
    {
        Directory.CreateDirectory(store);
        DumpServer server = new(store, FreePort(), mebibytes, more);
        server.WaitUntilListening();
        return server;
    }

    /// <summary>Its process.</summary>
    public int Id => _command.Id;

    /// <summary>Where its files are seen by others.</summary>
    public string Store { get; }

    public int Port { get; }
    public string Output => _command.Output;

    /// <summary>The directories of crashes, oldest first.</summary>
    public string[] Crashes => [.. Directory.GetDirectories(Store, "*-????-??-??-*").Order(StringComparer.Ordinal)];

    public string WaitForLine(string pattern, TimeSpan limit) => _command.WaitForLine(pattern, limit);

    /// <summary>Waits for something the server does; fails with what it has printed.</summary>
    public void WaitFor(Func<bool> condition, TimeSpan limit)
    {
        for (Stopwatch clock = Stopwatch.StartNew(); !condition(); Command.Pause())
            if (clock.Elapsed > limit) throw new TimeoutException($"not within {limit}:\n{Output}");
    }

    /// <summary>Ends the server as an operator does and says how it went.</summary>
    public int Stop()
    {
        _command.Signal(15);
        return _command.WaitForExit(TimeSpan.FromSeconds(30));
    }

    /// <summary>SIGKILL: it can do nothing more. From any thread; returns when it is gone.</summary>
    public void Kill()
    {
        _command.Signal(9);
        _command.WaitForExit(TimeSpan.FromSeconds(30));
    }

    public void Dispose() => _command.Dispose();

    private static string[] Arguments(string store, int port, string[] more) =>
        ["--store", store, "--listen", "127.0.0.1", "--port", $"{port}", .. more.Contains("--secure-port") ? [] : new[] { "--secure-port", "none" }, .. more];

    private void WaitUntilListening() => _command.WaitForLine("listening", TimeSpan.FromSeconds(30));

    public static int FreePort()
    {
        using Socket probe = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }
}
