using System.CommandLine;

namespace Netdump.Server.Commands;

/// <summary>A subcommand whose help ends with what one types most.</summary>
internal sealed class CommandWithExamples(string name, string description, string examples) : Command(name, description)
{
    /// <summary>One command a line, what it does below it.</summary>
    public string Examples => examples;
}
