using Microsoft.AspNetCore.Http;

namespace Netdump.Server.Receivers.Upload;

/// <summary>Counts what the web server refuses before a request is ours: it tells of that in its log alone. Nothing of it is printed.</summary>
internal sealed class KestrelRefusals(UploadCounters counters) : ILoggerProvider, ILogger
{
    /// <summary>The log that tells of it, at the level debug.</summary>
    public const string Category = "Microsoft.AspNetCore.Server.Kestrel.BadRequests";

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) => this;

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Debug;

    /// <inheritdoc/>
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (eventId.Name == "ConnectionBadRequest" && exception is BadHttpRequestException bad)
            counters.CountRefused(bad.StatusCode == StatusCodes.Status408RequestTimeout ? "timeout" : "header");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
