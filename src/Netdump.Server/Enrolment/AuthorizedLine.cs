using System.Diagnostics.CodeAnalysis;
using System.Text;
using Netdump.Protocols.Keys;

namespace Netdump.Server.Enrolment;

/// <summary>
/// One line of an authorized_keys file as sshd(8) reads it: <c>[options] key [comment]</c>. It is an enrolment when its options are <c>restrict</c>,
/// our forced command, and at most more <c>no-</c> options: any other option says something about the key that only sshd would heed. Any bytes may
/// be given; what is not understood is no enrolment.
/// </summary>
internal static class AuthorizedLine
{
    /// <summary>Bytes of a line beyond which it is not looked at.</summary>
    public const int Longest = 16 * 1024;

    private const string Program = "netdump-server";
    private const string Gate = "gate";

    /// <summary>Reads a line.</summary>
    /// <param name="line">A line without its newline.</param>
    /// <param name="key">Its key, whatever the options are; null when it is a comment, or the key is of another kind than we enrol.</param>
    /// <param name="host">The enrolled host; null when the line is no enrolment.</param>
    public static void Read(ReadOnlySpan<byte> line, out SshPublicKey? key, out EnrolledHost? host)
    {
        host = TrySplit(line, out string options, out key) && HostName.IsValid(key.Comment) && IsOurs(options) ? new EnrolledHost(key.Comment, key) : null;
    }

    /// <summary>The line of an enrolment, without a newline.</summary>
    /// <param name="command">What sshd runs for the key.</param>
    /// <param name="key">The key, with the host's name as comment.</param>
    public static string Write(string command, SshPublicKey key) => $"restrict,command=\"{command.Replace("\"", "\\\"", StringComparison.Ordinal)}\" {key}";

    private static bool TrySplit(ReadOnlySpan<byte> line, out string options, [NotNullWhen(true)] out SshPublicKey? key)
    {
        options = "";
        key = null;
        // sshd's strings end at a NUL: a line with one is not what it seems to be.
        if (line.Length > Longest || line.Contains((byte)0)) return false;
        // One character a byte, whatever the bytes are.
        ReadOnlySpan<char> text = Encoding.Latin1.GetString(line).AsSpan().TrimStart(" \t");
        if (text.IsEmpty || text[0] == '#') return false;
        if (SshPublicKey.TryParse(text, out key)) return true;
        int end = EndOfOptions(text);
        options = text[..end].ToString();
        return SshPublicKey.TryParse(text[end..], out key);
    }

    // As sshd skips them: up to a blank outside of quotes; a backslash protects a quote, everywhere.
    private static int EndOfOptions(ReadOnlySpan<char> text)
    {
        bool isQuoted = false;
        int at = 0;
        for (; at < text.Length && (isQuoted || text[at] is not (' ' or '\t')); at++)
        {
            if (text[at] == '\\' && at + 1 < text.Length && text[at + 1] == '"') at++;
            else if (text[at] == '"') isQuoted = !isQuoted;
        }

        return Math.Min(at, text.Length);
    }

    private static bool IsOurs(ReadOnlySpan<char> options)
    {
        bool isRestricted = false;
        string? command = null;
        while (true)
        {
            int length = options.IndexOfAny(',', '=');
            ReadOnlySpan<char> name = length < 0 ? options : options[..length];
            if (name.Equals("restrict", StringComparison.OrdinalIgnoreCase)) isRestricted = true;
            else if (name.Equals("command", StringComparison.OrdinalIgnoreCase))
            {
                // A second one is an error to sshd.
                if (command is not null || length < 0 || options[length] != '=') return false;
                options = options[(length + 1)..];
                if (!TryUnquote(ref options, out command)) return false;
                length = options.IsEmpty ? -1 : 0;
            }
            else if (!IsRefusal(name)) return false;

            if (length < 0) return isRestricted && command is not null && IsGate(command);
            if (options[length] != ',') return false;
            options = options[(length + 1)..];
        }
    }

    private static bool IsRefusal(ReadOnlySpan<char> name) =>
        name.Equals("no-pty", StringComparison.OrdinalIgnoreCase)
        || name.Equals("no-port-forwarding", StringComparison.OrdinalIgnoreCase)
        || name.Equals("no-agent-forwarding", StringComparison.OrdinalIgnoreCase)
        || name.Equals("no-X11-forwarding", StringComparison.OrdinalIgnoreCase)
        || name.Equals("no-user-rc", StringComparison.OrdinalIgnoreCase);

    // A value in double quotes; the only escape is \" (sshd(8)).
    private static bool TryUnquote(ref ReadOnlySpan<char> text, [NotNullWhen(true)] out string? value)
    {
        value = null;
        if (text.IsEmpty || text[0] != '"') return false;
        var found = new StringBuilder();
        for (int at = 1; at < text.Length; at++)
        {
            if (text[at] == '"')
            {
                value = found.ToString();
                text = text[(at + 1)..];
                return true;
            }

            if (text[at] == '\\' && at + 1 < text.Length && text[at + 1] == '"') at++;
            found.Append(text[at]);
        }

        return false;
    }

    // `netdump-server gate`, with a path before it or arguments behind; the path as ForcedCommand quotes it.
    private static bool IsGate(string command)
    {
        if (!ShellWords.TrySplit(command, out List<string>? words) || words.Count < 2 || words[1] != Gate) return false;
        return words[0].AsSpan(words[0].LastIndexOf('/') + 1).SequenceEqual(Program);
    }
}
