using System.Buffers;

namespace Netdump.Client.Shell;

/// <summary>What a line typed into <c>netdump shell</c> asks for.</summary>
internal enum ShellRequest
{
    /// <summary>Nothing: empty, or a comment.</summary>
    Nothing,

    /// <summary>To end the shell.</summary>
    Quit,

    /// <summary>What there is to say.</summary>
    Help,

    /// <summary>To run <see cref="ShellLine.Script"/>.</summary>
    Run,

    /// <summary>A word that is no command.</summary>
    Unknown,
}

/// <summary>A line of <c>netdump shell</c>, and the script of /bin/sh that does it: pipes, redirections and quotes are that shell's.</summary>
internal sealed class ShellLine
{
    /// <summary>The variable that holds the program in the script.</summary>
    public const string Program = "NETDUMP_SHELL_PROGRAM";

    /// <summary>The variable that holds the dump's path in the script.</summary>
    public const string Dump = "NETDUMP_SHELL_DUMP";

    // A pattern is netdump's to match, not the shell's; and where the shell can, a pipe fails when its first part does.
    private const string Preamble = "set -f; (set -o pipefail) 2>/dev/null && set -o pipefail; ";

    private static readonly SearchValues<char> Ends = SearchValues.Create(" \t|><&;");

    private ShellLine(ShellRequest request, string word, string script) => (Request, Word, Script) = (request, word, script);

    /// <summary>What is asked for.</summary>
    public ShellRequest Request { get; }

    /// <summary>The command.</summary>
    public string Word { get; }

    /// <summary>What /bin/sh -c runs.</summary>
    public string Script { get; }

    /// <summary>Reads a line.</summary>
    /// <param name="line">As typed.</param>
    /// <param name="commands">The commands that read a dump.</param>
    public static ShellLine Parse(string line, IReadOnlyCollection<string> commands)
    {
        line = line.Trim();
        if (line.Length == 0 || line[0] == '#')
            return new(ShellRequest.Nothing, "", "");
        if (line[0] == '!')
            return line[1..].Trim() is { Length: > 0 } command ? new(ShellRequest.Run, "!", command) : new(ShellRequest.Run, "!", "exec \"${SHELL:-/bin/sh}\"");
        var end = line.AsSpan().IndexOfAny(Ends);
        var (word, rest) = end < 0 ? (line, "") : (line[..end], line[end..]);
        if (word is "q" or "quit" or "exit")
            return new(ShellRequest.Quit, word, "");
        if (word is "help" or "?" && rest.Trim() is var topic)
            return commands.Contains(topic) ? new(ShellRequest.Run, word, $"\"${Program}\" {topic} --help") : new(ShellRequest.Help, word, "");
        return commands.Contains(word)
            ? new(ShellRequest.Run, word, $"{Preamble}\"${Program}\" {word} \"${Dump}\"{rest}")
            : new(ShellRequest.Unknown, word, "");
    }
}
