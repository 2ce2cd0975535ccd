using System.Buffers;
using System.Text;
using Netdump.Protocols.Keys;
using Netdump.Server.Store;

namespace Netdump.Server.Enrolment;

/// <summary>One authorized_keys file, as bytes: lines that are not ours stay as they are, to the byte.</summary>
internal sealed class AuthorizedKeys
{
    private readonly List<Line> _lines;

    private AuthorizedKeys(string name, List<Line> lines)
    {
        Name = name;
        _lines = lines;
    }

    /// <summary>Name of the file.</summary>
    public string Name { get; }

    /// <summary>Whether something was added or removed since it was read.</summary>
    public bool IsChanged { get; private set; }

    /// <summary>The enrolments in it.</summary>
    public IEnumerable<EnrolledHost> Hosts => _lines.Select(line => line.Host).OfType<EnrolledHost>();

    /// <summary>Reads a file of a directory; empty when there is none. Throws <see cref="StoreException"/>.</summary>
    public static AuthorizedKeys Load(StoreFolder? folder, string name) => Parse(name, folder?.TryRead(name, EnrolledHosts.LongestFile));

    /// <summary>Reads a file's text.</summary>
    public static AuthorizedKeys Parse(string name, ReadOnlySpan<byte> text)
    {
        List<Line> lines = [];
        while (!text.IsEmpty)
        {
            int end = text.IndexOf((byte)'\n');
            lines.Add(Line.Of((end < 0 ? text : text[..end]).ToArray()));
            text = end < 0 ? default : text[(end + 1)..];
        }

        return new AuthorizedKeys(name, lines);
    }

    /// <summary>Whether a line that is no enrolment has a key.</summary>
    public bool HasForeign(KeyFingerprint fingerprint) => _lines.Exists(line => line.Host is null && line.Key?.Fingerprint == fingerprint);

    /// <summary>Adds a line at the end.</summary>
    public void Add(string line)
    {
        _lines.Add(Line.Of(Encoding.UTF8.GetBytes(line)));
        IsChanged = true;
    }

    /// <summary>Removes the enrolments that a condition picks.</summary>
    public IReadOnlyList<EnrolledHost> Remove(Predicate<EnrolledHost> condition)
    {
        List<EnrolledHost> removed = [];
        _lines.RemoveAll(line =>
        {
            if (line.Host is not { } host || !condition(host)) return false;
            removed.Add(host);
            return true;
        });
        IsChanged |= removed.Count > 0;
        return removed;
    }

    /// <summary>The text of the file: each line with its newline.</summary>
    public ReadOnlySpan<byte> Text()
    {
        var text = new ArrayBufferWriter<byte>();
        foreach (Line line in _lines)
        {
            text.Write(line.Bytes);
            text.Write("\n"u8);
        }

        return text.WrittenSpan;
    }

    private readonly record struct Line(byte[] Bytes, EnrolledHost? Host, SshPublicKey? Key)
    {
        public static Line Of(byte[] bytes)
        {
            AuthorizedLine.Read(bytes, out SshPublicKey? key, out EnrolledHost? host);
            return new Line(bytes, host, key);
        }
    }
}
