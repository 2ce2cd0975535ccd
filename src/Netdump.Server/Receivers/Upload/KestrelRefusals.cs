using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;

namespace Netdump.Server.Receivers.Upload;

/// <summary>
/// Counts what the web server refuses before a request is ours: it tells of that in its log alone. Nothing of it is printed. What we refused, and
/// closed the connection for, it complains of once more when it ends the request: that does not count again.
/// </summary>
internal sealed class KestrelRefusals(UploadCounters counters) : ILoggerProvider, ILogger
{
    private readonly ConcurrentDictionary<string, bool> _counted = new(StringComparer.Ordinal);

    /// <summary>The log that tells of it, at the level debug.</summary>
    public const string Category = "Microsoft.AspNetCore.Server.Kestrel.BadRequests";

    /// <summary>A request of this connection was refused and counted, and the connection ends with it.</summary>
    public void NoteCounted(string connection) => _counted[connection] = true;

    /// <summary>The connection has ended.</summary>
    public void Forget(string connection) => _counted.TryRemove(connection, out _);

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
        if (eventId.Name == "ConnectionBadRequest" && exception is BadHttpRequestException bad && !IsCounted(state))
            counters.CountRefused(bad.StatusCode == StatusCodes.Status408RequestTimeout ? "timeout" : "header");
    }

    private bool IsCounted<TState>(TState state) =>
        state is IReadOnlyList<KeyValuePair<string, object?>> values
        && values.Any(value => value is { Key: "ConnectionId", Value: string connection } && _counted.ContainsKey(connection));

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
