using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging.Console;
using Netdump.Server.Options;

namespace Netdump.Server;

/// <summary>
/// The process around the server: log to the terminal or the journal, signals, systemd's notifications, the pid file.
/// </summary>
internal sealed class ServerHost : IHostedService, IDisposable
{
    private readonly CommandLine _commandLine;
    private readonly NetdumpServer _server;
    private readonly PidFile? _pidFile;
    private readonly ILogger _log;
    private PosixSignalRegistration? _reload;

    private ServerHost(CommandLine commandLine, NetdumpServer server, PidFile? pidFile, ILogger log)
    {
        _commandLine = commandLine;
        _server = server;
        _pidFile = pidFile;
        _log = log;
    }

    /// <summary>
    /// Runs the server until SIGTERM or SIGINT; returns the exit status. Throws <see cref="OptionException"/>,
    /// <see cref="StartException"/> and <see cref="IOException"/> when it cannot start.
    /// </summary>
    public static async Task<int> RunAsync(CommandLine commandLine)
    {
        List<string> notes = [];
        ServerOptions options = commandLine.ReadOptions(notes);

        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        AddLog(builder.Logging, options.LogLevel);
        // Under systemd: readiness and stop notifications, journal levels. Elsewhere it does nothing.
        builder.Services.AddSystemd();
        builder.Services.Configure<ConsoleLifetimeOptions>(o => o.SuppressStatusMessages = true);
        builder.Services.AddHostedService(services =>
        {
            ILogger log = services.GetRequiredService<ILoggerFactory>().CreateLogger("netdump");
            foreach (string note in notes) Log.OptionNote(log, note);
            NetdumpServer server = new(options, TimeProvider.System, log);
            PidFile? pidFile = null;
            try
            {
                pidFile = options.PidFile is null ? null : new PidFile(options.PidFile);
            }
            catch
            {
                server.Dispose();
                throw;
            }

            return new ServerHost(commandLine, server, pidFile, log);
        });

        using IHost host = builder.Build();
        await host.RunAsync();
        return 0;
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _reload = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true; // the default would end the process
            Reload();
        });
        _server.Start();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        _reload?.Dispose();
        return Task.Run(_server.Stop, CancellationToken.None);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _server.Dispose();
        _pidFile?.Dispose();
    }

    private static void AddLog(ILoggingBuilder logging, LogLevel level)
    {
        logging.SetMinimumLevel(level);
        logging.AddFilter("Microsoft", LogLevel.None);
        logging.AddSimpleConsole(o =>
        {
            o.SingleLine = true;
            o.TimestampFormat = "HH:mm:ss ";
        });
        logging.Services.Configure<ConsoleLoggerOptions>(o =>
        {
            o.LogToStandardErrorThreshold = LogLevel.Trace;
            // A terminal that takes no text must not stop the reception.
            o.QueueFullMode = ConsoleLoggerQueueFullMode.DropWrite;
        });
    }

    private void Reload()
    {
        List<string> notes = [];
        try
        {
            _server.Reload(_commandLine.ReadOptions(notes));
        }
        catch (OptionException e)
        {
            Log.ReloadFailed(_log, e.Message);
            return;
        }

        foreach (string note in notes) Log.OptionNote(_log, note);
    }
}
