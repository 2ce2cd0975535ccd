using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Netdump.Server.Commands;

namespace Netdump.Server.Options;

/// <summary>
/// What the command line asks for: settings over those of the file, or a text to print. Reading the file again with
/// <see cref="ReadOptions"/> keeps the command line's precedence.
/// </summary>
internal sealed class CommandLine
{
    private readonly IReadOnlyList<Assignment> _assignments;
    private readonly string? _file;
    private readonly ParseResult? _subcommand;
    private readonly TextWriter _output;

    private CommandLine(ParseResult subcommand, TextWriter output)
        : this([], null)
    {
        _subcommand = subcommand;
        _output = output;
    }

    private CommandLine(IReadOnlyList<Assignment> assignments, string? file)
    {
        _assignments = assignments;
        _file = file;
        _output = TextWriter.Null;
    }

    /// <summary>Whether a subcommand is asked for, and no server.</summary>
    public bool IsSubcommand => _subcommand is not null;

    /// <summary>
    /// Reads arguments. Null when they ask for a text (help, version), which is printed to <paramref name="output"/>.
    /// Throws <see cref="OptionException"/> with <see cref="OptionException.IsUsage"/>.
    /// </summary>
    public static CommandLine? Parse(string[] arguments, TextWriter output)
    {
        Dictionary<Setting, Option> options = Settings.All.ToDictionary(s => s, MakeOption);
        Option<string> file = new("--config") { HelpName = "FILE", Description = $"settings file [{ConfigurationFile.DefaultPath} if there]" };
        RootCommand root = new("Receives crash dumps and console messages of Linux hosts over the network.") { file };
        foreach (Option option in options.Values) root.Add(option);
        foreach (Command subcommand in Subcommands.All()) root.Add(subcommand);
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((HelpAction)help.Action!);
        root.SetAction(_ => { });

        ParseResult result = root.Parse(arguments);
        Command command = result.CommandResult.Command;
        if (result.Action is not null && result.Action != command.Action && result.Errors.Count == 0)
        {
            result.Invoke(new InvocationConfiguration { Output = output });
            return null;
        }

        ThrowOnErrors(result, command);
        if (command != root) return new CommandLine(result, output);
        List<Assignment> assignments = [];
        foreach ((Setting setting, Option option) in options)
        {
            if (result.GetResult(option) is not { Implicit: false } given) continue;
            string[] values = [.. given.Tokens.Select(t => t.Value)];
            assignments.Add(new Assignment(setting, values, given.IdentifierToken?.Value ?? setting.Names[0]));
        }

        return new CommandLine(assignments, result.GetValue(file));
    }

    /// <summary>Runs the subcommand and returns its exit status. Throws <see cref="OptionException"/>, <see cref="StartException"/> and <see cref="IOException"/>.</summary>
    public int RunSubcommand() => _subcommand!.Invoke(new InvocationConfiguration { Output = _output, EnableDefaultExceptionHandler = false });

    /// <summary>
    /// Defaults, over them the file, over them the command line. Reads the file. <paramref name="notes"/> gets what was accepted but does
    /// nothing. Throws <see cref="OptionException"/>.
    /// </summary>
    public ServerOptions ReadOptions(ICollection<string> notes)
    {
        // A mistake on the command line is said first, whatever the file holds.
        Settings.Apply(new ServerOptions(), _assignments, isUsage: true);
        string? path = _file ?? (File.Exists(ConfigurationFile.DefaultPath) ? ConfigurationFile.DefaultPath : null);
        IReadOnlyList<Assignment> fromFile = path is null ? [] : ConfigurationFile.Read(path);
        foreach (string note in fromFile.Concat(_assignments).Select(a => a.Setting.Note).OfType<string>().Distinct()) notes.Add(note);
        ServerOptions options = Settings.Apply(new ServerOptions(), fromFile, isUsage: false);
        return Settings.Apply(options, _assignments, isUsage: true);
    }

    private static Option MakeOption(Setting setting)
    {
        string[] aliases = setting.Names[1..];
        string name = setting.Names[0];
        Option option = setting switch
        {
            { Value: null } => new Option<bool>(name, aliases),
            { IsList: true } => new Option<string[]>(name, aliases) { HelpName = setting.Value },
            _ => new Option<string>(name, aliases) { HelpName = setting.Value },
        };
        option.Description = setting.Help;
        option.Hidden = setting.Note is not null;
        return option;
    }

    private static void ThrowOnErrors(ParseResult result, Command command)
    {
        if (result.Errors.Count == 0) return;
        string message = result.Errors[0].Message;
        if (result.UnmatchedTokens.Count > 0)
        {
            string token = result.UnmatchedTokens[0];
            IEnumerable<string> known = token.StartsWith('-')
                ? command.Options.Where(o => !o.Hidden).SelectMany(o => o.Aliases.Prepend(o.Name)).Append("--help")
                : command.Subcommands.Select(c => c.Name);
            string? nearest = NearestName.Find(token, known);
            message = $"unknown argument '{token}'" + (nearest is null ? "" : $" (did you mean {nearest}?)");
        }

        throw new OptionException(message.ReplaceLineEndings(" ").TrimEnd('.')) { IsUsage = true };
    }

    /// <summary>The generated list of options, and below it what one types most.</summary>
    private sealed class HelpWithExamples(HelpAction list) : SynchronousCommandLineAction
    {
        private const string Examples = """
            Examples:
              netdump-server --store ./crashes --listen 127.0.0.1 --port 6666
                  try it as any user: everything stays below ./crashes
              netdump-server --allow 10.20.0.0/16 --allow fd00:20::/32
                  accept these networks only
              netdump-server --config ./netdump-server.toml
                  settings from a file; the command line beats it
              netdump-server enrol web-17.pub --store ./crashes
                  let a host send its dumps encrypted; netdump propagate on the host does it by ssh

            Signals: SIGHUP reads the settings again, SIGTERM ends cleanly.
            """;

        // --help beside a mistake still helps.
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            list.Invoke(parseResult);
            parseResult.InvocationConfiguration.Output.WriteLine(
                parseResult.CommandResult.Command is CommandWithExamples command ? $"Examples:\n{command.Examples}" : Examples);
            return 0;
        }
    }
}
