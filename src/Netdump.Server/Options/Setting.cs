namespace Netdump.Server.Options;

/// <summary>
/// One setting, the same in the file and on the command line. Values are text in both; <see cref="Apply"/> reads them and throws
/// <see cref="FormatException"/> that says what would be right.
/// </summary>
/// <param name="Key">Name in the file, as in <c>max_dumps</c>.</param>
/// <param name="OldKeys">Names the original's file had for it.</param>
/// <param name="Names">Names on the command line, the preferred one first.</param>
/// <param name="Value">What stands for the value in the help text; null for a switch without one.</param>
/// <param name="Help">One line for the help text and the operator page.</param>
/// <param name="Apply">Puts a value (several where <see cref="IsList"/>) into the options.</param>
/// <param name="Read">The value in some options, to see what a reload changed.</param>
internal sealed record Setting(
    string Key,
    string[] OldKeys,
    string[] Names,
    string? Value,
    string Help,
    Func<ServerOptions, string[], ServerOptions> Apply,
    Func<ServerOptions, object?> Read)
{
    /// <summary>Whether a change takes effect on SIGHUP.</summary>
    public bool Reloads { get; init; }

    /// <summary>Whether it may be given several times and is an array in the file.</summary>
    public bool IsList { get; init; }

    /// <summary>Why an option of the original does nothing here; null for a real one.</summary>
    public string? Note { get; init; }
}

/// <summary>A setting with the values it was given and the place where.</summary>
/// <param name="Setting">Which one.</param>
/// <param name="Values">The values, one unless the setting is a list.</param>
/// <param name="Where">What an error message begins with: the option as written, or file:line:column and key.</param>
internal sealed record Assignment(Setting Setting, string[] Values, string Where);
