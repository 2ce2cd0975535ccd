using System.Diagnostics.CodeAnalysis;
using Netdump.Protocols.Keys;
using Netdump.Server.Store;

namespace Netdump.Server.Enrolment;

/// <summary>Both authorized_keys files of a store, read for a change: whoever has one holds the lock.</summary>
internal sealed class AuthorizedKeySet
{
    private readonly AuthorizedKeys[] _files;
    private readonly string _directory;

    private AuthorizedKeySet(AuthorizedKeys[] files, string directory)
    {
        _files = files;
        _directory = directory;
    }

    /// <summary>The file in which <see cref="HasForeign"/> found the key.</summary>
    public string? PathOfForeign { get; private set; }

    /// <summary>Reads both. Throws <see cref="StoreException"/>.</summary>
    public static AuthorizedKeySet Load(StoreFolder folder) =>
        new([.. EnrolledHosts.FileNames.Select(name => AuthorizedKeys.Load(folder, name))], folder.Path);

    /// <summary>The enrolment of a key; null when there is none.</summary>
    public EnrolledHost? Find(KeyFingerprint key) => _files.SelectMany(f => f.Hosts).FirstOrDefault(h => h.Key.Fingerprint == key);

    /// <summary>The first enrolment under a name; null when there is none.</summary>
    public EnrolledHost? Find(string name) => _files.SelectMany(f => f.Hosts).FirstOrDefault(h => HostName.Comparer.Equals(h.Name, name));

    /// <summary>Whether a key is there in a line that is no enrolment.</summary>
    [MemberNotNullWhen(true, nameof(PathOfForeign))]
    public bool HasForeign(KeyFingerprint key)
    {
        PathOfForeign = Array.Find(_files, f => f.HasForeign(key)) is { } file ? Path.Combine(_directory, file.Name) : null;
        return PathOfForeign is not null;
    }

    /// <summary>Adds a line to the first file.</summary>
    public void Add(string line) => _files[0].Add(line);

    /// <summary>Removes the enrolments that a condition picks, from both.</summary>
    public IReadOnlyList<EnrolledHost> Remove(Predicate<EnrolledHost> condition) => [.. _files.SelectMany(f => f.Remove(condition))];

    /// <summary>Writes what changed. Throws <see cref="StoreException"/>.</summary>
    public void Save(StoreFolder folder)
    {
        foreach (AuthorizedKeys file in _files)
            if (file.IsChanged) folder.Replace(file.Name, file.Text());
    }
}
