using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Netdump.Server.Tests;

/// <summary>Keeps the lines a part of the server logs.</summary>
public sealed class LogLines : ILogger
{
    private readonly ConcurrentQueue<(EventId Id, string Text)> _lines = new();

    public IReadOnlyList<string> Lines => [.. _lines.Select(l => l.Text)];

    public int Count(int eventId) => _lines.Count(l => l.Id.Id == eventId);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _lines.Enqueue((eventId, formatter(state, exception) + (exception is null ? "" : $" ({exception})")));
}
