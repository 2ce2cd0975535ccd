using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Netdump.Server.Enrolment;

/// <summary>Words of a shell's command line, for the forced command that sshd gives to the user's shell.</summary>
internal static class ShellWords
{
    private static readonly SearchValues<char> Plain =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/:+,@%=");

    /// <summary>A word that the shell takes as it is: in single quotes when it has to be.</summary>
    public static string Quote(string word) =>
        word.Length > 0 && !word.AsSpan().ContainsAnyExcept(Plain) ? word : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    /// <summary>Splits what <see cref="Quote"/> wrote: words between blanks, of plain characters, single quotes and backslashes.</summary>
    /// <returns>False when the shell would do something else with it: variables, pipes, other quotes.</returns>
    public static bool TrySplit(ReadOnlySpan<char> command, [NotNullWhen(true)] out List<string>? words)
    {
        words = null;
        List<string> found = [];
        while (!(command = command.TrimStart(' ')).IsEmpty)
        {
            if (!TryTakeWord(ref command, out string? word)) return false;
            found.Add(word);
        }

        words = found;
        return true;
    }

    private static bool TryTakeWord(ref ReadOnlySpan<char> command, [NotNullWhen(true)] out string? word)
    {
        word = null;
        var text = new StringBuilder();
        int at = 0;
        while (at < command.Length && command[at] != ' ')
        {
            if (command[at] == '\'')
            {
                int length = command[(at + 1)..].IndexOf('\'');
                if (length < 0) return false;
                text.Append(command.Slice(at + 1, length));
                at += length + 2;
            }
            else if (command[at] == '\\' && at + 1 < command.Length)
            {
                text.Append(command[at + 1]);
                at += 2;
            }
            else if (Plain.Contains(command[at]) || command[at] > 0x7f)
            {
                text.Append(command[at++]);
            }
            else
            {
                return false;
            }
        }

        word = text.ToString();
        command = command[at..];
        return true;
    }
}
