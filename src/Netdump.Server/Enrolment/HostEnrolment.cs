using Netdump.Protocols.Keys;
using Netdump.Server.Store;

namespace Netdump.Server.Enrolment;

/// <summary>
/// Changes who is enrolled. One change at a time, between processes too (the lock of <c>server/enrolment.lock</c>); each is on the disk when the call
/// returns, and noted in <c>server/enrolment.log</c>. Thread-safe. Everything throws <see cref="StoreException"/>, one line, when the store refuses.
/// </summary>
public sealed class HostEnrolment
{
    private const string LockName = "enrolment.lock";

    private static readonly TimeSpan LockLimit = TimeSpan.FromSeconds(10);

    private readonly CrashStore _store;
    private readonly TimeProvider _time;
    private readonly string _command;

    /// <summary>The enrolments of a store. Touches no disk.</summary>
    /// <param name="store">The store.</param>
    /// <param name="time">Wall clock.</param>
    public HostEnrolment(CrashStore store, TimeProvider time)
    {
        _store = store;
        _time = time;
        _command = ForcedCommand.For(store);
    }

    /// <summary>Enrols a key under a name, once however often it is asked.</summary>
    /// <param name="key">The key; its comment does not matter.</param>
    /// <param name="name">What the host is to be called.</param>
    /// <param name="from">Who asks, for the note: an address, or null for somebody on this machine.</param>
    public EnrolmentResult Enrol(SshPublicKey key, string name, string? from)
    {
        if (!HostName.IsValid(name)) return BadName(name);
        using Change change = new(this);
        return Add(change, key, name, from, "command");
    }

    /// <summary>
    /// Enrols a key by a code that <see cref="NewToken"/> made, which is used up by that and by nothing else: check and enrolment are one step. A key
    /// that is enrolled under that name already gets <see cref="EnrolmentOutcome.Unchanged"/> with any code, so that a request whose answer was lost may
    /// be repeated.
    /// </summary>
    /// <param name="code">The code, without the server's fingerprint.</param>
    /// <param name="key">The key that the peer has proven to hold.</param>
    /// <param name="name">What the host wants to be called; a name that was given with the code goes before.</param>
    /// <param name="from">The peer's address, for the note.</param>
    public EnrolmentResult EnrolByToken(string code, SshPublicKey key, string name, string? from)
    {
        using Change change = new(this);
        if (change.Keys.Find(key.Fingerprint) is { } known && HostName.Comparer.Equals(known.Name, name)) return Unchanged(known);
        EnrolmentTokens tokens = EnrolmentTokens.Load(change.Server, _time.GetUtcNow());
        if (!tokens.TryFind(code, out EnrolmentTokens.Token? token))
        {
            return new EnrolmentResult(
                EnrolmentOutcome.BadToken, null, "the token does not exist, was used, or is too old", "make another on the server: netdump-server enrol --token");
        }

        name = token.Name ?? name;
        if (!HostName.IsValid(name)) return BadName(name);
        if (Refuse(change, key, name) is { } refusal) return refusal;
        // Used up first: whatever happens between, a code never works twice.
        tokens.Remove(token);
        try
        {
            return Add(change, key, name, from, "token");
        }
        catch (IOException)
        {
            tokens.Return(token);
            throw;
        }
    }

    /// <summary>Makes a code for <see cref="EnrolByToken"/>: works once, within <see cref="EnrolmentTokens.Life"/>.</summary>
    /// <param name="name">Name of the host that it is for, a valid one; null lets the host say.</param>
    public string NewToken(string? name)
    {
        using Change change = new(this);
        return EnrolmentTokens.Load(change.Server, _time.GetUtcNow()).Add(name);
    }

    /// <summary>Removes all enrolments of a name.</summary>
    /// <param name="name">The name, or a key's fingerprint.</param>
    /// <param name="from">Who asks, for the note.</param>
    /// <returns>The hosts that are not enrolled any more; empty when there was none.</returns>
    public IReadOnlyList<EnrolledHost> Revoke(string name, string? from)
    {
        using Change change = new(this);
        bool isKey = KeyFingerprint.TryParse(name, out KeyFingerprint fingerprint);
        IReadOnlyList<EnrolledHost> removed = change.Keys.Remove(h => isKey ? h.Key.Fingerprint == fingerprint : HostName.Comparer.Equals(h.Name, name));
        change.Keys.Save(change.Folder);
        foreach (EnrolledHost host in removed) EnrolmentLog.Append(change.Server, _time.GetUtcNow(), "revoked", host, "command", from);
        return removed;
    }

    private EnrolmentResult Add(Change change, SshPublicKey key, string name, string? from, string way)
    {
        if (Refuse(change, key, name) is { } refusal) return refusal;
        EnrolledHost host = new(name, key.Named(name));
        change.Keys.Add(AuthorizedLine.Write(_command, host.Key));
        change.Keys.Save(change.Folder);
        EnrolmentLog.Append(change.Server, _time.GetUtcNow(), "enrolled", host, way, from);
        return new EnrolmentResult(EnrolmentOutcome.Enrolled, host, $"{name} is enrolled", null);
    }

    /// <summary>Why a key cannot be enrolled under a name, or that it is already; null when it can.</summary>
    private static EnrolmentResult? Refuse(Change change, SshPublicKey key, string name)
    {
        if (change.Keys.Find(key.Fingerprint) is { } known)
        {
            if (HostName.Comparer.Equals(known.Name, name)) return Unchanged(known);
            return new EnrolmentResult(
                EnrolmentOutcome.KeyTaken, null, $"this key is enrolled as {known.Name}", $"enrol it under that name, or first netdump-server revoke {known.Name}");
        }

        if (change.Keys.HasForeign(key.Fingerprint))
        {
            return new EnrolmentResult(EnrolmentOutcome.KeyTaken, null,
                $"this key is in {change.Keys.PathOfForeign} as no enrolment: it may do more there than an enrolled key may", "remove that line, then enrol again");
        }

        if (change.Keys.Find(name) is { } other)
        {
            return new EnrolmentResult(EnrolmentOutcome.NameTaken, null,
                $"another key is enrolled as {other.Name} ({other.Key.Fingerprint})", $"if that host has a new key: netdump-server revoke {other.Name}; else take another name");
        }

        return null;
    }

    private static EnrolmentResult Unchanged(EnrolledHost host) =>
        new(EnrolmentOutcome.Unchanged, host, $"{host.Name} was enrolled already", null);

    private static EnrolmentResult BadName(string name) =>
        new(EnrolmentOutcome.BadName, null, $"'{Printable(name)}' is no name of a host", $"choose one: {HostName.Rule}");

    private static string Printable(string name) =>
        string.Concat((name.Length > 60 ? name[..60] + "..." : name).Select(c => c is >= ' ' and <= '~' ? c : '?'));

    /// <summary>The store's directories, open, and the lock.</summary>
    private sealed class Change : IDisposable
    {
        private readonly StoreFolder _root;
        private readonly IDisposable _held;

        public Change(HostEnrolment enrolment)
        {
            _root = StoreFolder.OpenRoot(enrolment._store);
            Server = _root.OpenOrMake(ServerIdentity.DirectoryName);
            Folder = _root.OpenOrMake(EnrolledHosts.DirectoryName);
            _held = Server.Lock(LockName, LockLimit);
            Keys = AuthorizedKeySet.Load(Folder);
        }

        public StoreFolder Server { get; }

        public StoreFolder Folder { get; }

        public AuthorizedKeySet Keys { get; }

        public void Dispose()
        {
            _held.Dispose();
            Folder.Dispose();
            Server.Dispose();
            _root.Dispose();
        }
    }
}
