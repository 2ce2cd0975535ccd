using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Netdump.Client.Commands;

/// <summary>A command whose help ends with what one types most. In the list of all commands it is one line.</summary>
internal sealed class CommandWithExamples(string name, string description, string examples) : Command(name, description)
{
    /// <summary>Lets the help of all commands end with their examples.</summary>
    public static void ShowExamples(RootCommand root)
    {
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new Help((HelpAction)help.Action!);
    }

    private string Examples => examples;

    private sealed class Help(HelpAction options) : SynchronousCommandLineAction
    {
        // --help beside a mistake still helps.
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            options.Invoke(parseResult);
            if (parseResult.CommandResult.Command is CommandWithExamples command)
            {
                TextWriter output = parseResult.InvocationConfiguration.Output;
                output.WriteLine("Examples:");
                foreach (string line in command.Examples.Split('\n')) output.WriteLine($"  {line}");
            }
            return 0;
        }
    }
}
