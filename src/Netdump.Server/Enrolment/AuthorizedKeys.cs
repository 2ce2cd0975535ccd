using Netdump.Server.Store;

namespace Netdump.Server.Enrolment;

/// <summary>One authorized_keys file, as bytes: lines that are not ours stay as they are, to the byte.</summary>
internal sealed class AuthorizedKeys
{
    private readonly List<byte[]> _lines;

    private AuthorizedKeys(List<byte[]> lines) => _lines = lines;

    /// <summary>The enrolments in it.</summary>
    public IEnumerable<EnrolledHost> Hosts
    {
        get
        {
            foreach (byte[] line in _lines)
                if (AuthorizedLine.TryReadEnrolment(line, out EnrolledHost? host)) yield return host;
        }
    }

    /// <summary>Reads a file of the store; empty when there is none. Throws <see cref="StoreException"/>.</summary>
    public static AuthorizedKeys Load(CrashStore store, string name)
    {
        using StoreFolder? root = StoreFolder.TryOpenRoot(store);
        using StoreFolder? folder = root?.TryOpen(EnrolledHosts.DirectoryName);
        return Parse(folder?.TryRead(name, EnrolledHosts.LongestFile));
    }

    /// <summary>Reads a file; empty when there is none.</summary>
    public static AuthorizedKeys Parse(ReadOnlySpan<byte> text)
    {
        List<byte[]> lines = [];
        while (!text.IsEmpty)
        {
            int end = text.IndexOf((byte)'\n');
            lines.Add((end < 0 ? text : text[..end]).ToArray());
            text = end < 0 ? default : text[(end + 1)..];
        }

        return new AuthorizedKeys(lines);
    }
}
