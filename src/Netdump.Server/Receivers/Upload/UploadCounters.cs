using System.Collections.Concurrent;

namespace Netdump.Server.Receivers.Upload;

/// <summary>What became of connections and requests of the secure port. A refusal is counted once, under one name. Thread-safe.</summary>
public sealed class UploadCounters
{
    private readonly ConcurrentDictionary<string, Count> _refused = new(StringComparer.Ordinal);
    private long _connections;
    private long _requests;

    /// <summary>Connections that were taken.</summary>
    public long Connections => Interlocked.Read(ref _connections);

    /// <summary>Requests whose header was read whole.</summary>
    public long Requests => Interlocked.Read(ref _requests);

    /// <summary>Everything that was refused, connections and requests, whatever the name.</summary>
    public long Refused => _refused.Values.Sum(count => Interlocked.Read(ref count.Value));

    /// <summary>
    /// What was refused under a name: a code of docs/upload.md, or of connections <c>too-many</c>, <c>too-many-of-address</c>, <c>handshake</c>, and of
    /// requests that never became one <c>header</c>, <c>timeout</c>, <c>slow-body</c>.
    /// </summary>
    public long Of(string name) => _refused.TryGetValue(name, out Count? count) ? Interlocked.Read(ref count.Value) : 0;

    /// <summary>All names with their numbers.</summary>
    public IReadOnlyDictionary<string, long> All => _refused.ToDictionary(pair => pair.Key, pair => Interlocked.Read(ref pair.Value.Value));

    internal void CountConnection() => Interlocked.Increment(ref _connections);

    internal void CountRequest() => Interlocked.Increment(ref _requests);

    internal void CountRefused(string name) => Interlocked.Increment(ref _refused.GetOrAdd(name, _ => new Count()).Value);

    private sealed class Count
    {
        public long Value;
    }
}
