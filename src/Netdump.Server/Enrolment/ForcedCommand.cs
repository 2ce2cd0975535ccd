using Netdump.Server.Options;
using Netdump.Server.Store;

namespace Netdump.Server.Enrolment;

/// <summary>What sshd runs for an enrolled key, whatever the key's holder asks for: <c>netdump-server gate</c>.</summary>
internal static class ForcedCommand
{
    private const string Name = "netdump-server";

    // The user's shell looks for programs in these, as sshd sets PATH; not in sbin.
    private static readonly string[] StandardDirectories = ["/usr/local/bin", "/usr/bin", "/bin"];

    /// <summary>
    /// The command for a store: by name alone when the program is in a standard directory, else by its path; with the store when it is not the one
    /// that <c>gate</c> takes by itself. Throws <see cref="StoreException"/> when a path cannot stand in a line.
    /// </summary>
    /// <param name="store">The store.</param>
    public static string For(CrashStore store) => For(store, UsualStore(), ProgramPath());

    /// <summary>The same.</summary>
    /// <param name="store">The store.</param>
    /// <param name="usual">Root of the store that is used when none is named; null when nobody knows.</param>
    /// <param name="program">Path of this program.</param>
    internal static string For(CrashStore store, string? usual, string program)
    {
        string command = $"{ShellWords.Quote(IsStandard(program) ? Name : program)} gate";
        string root = Path.TrimEndingDirectorySeparator(store.Root);
        if (usual is null || root != Path.TrimEndingDirectorySeparator(Path.GetFullPath(usual))) command += $" --store {ShellWords.Quote(root)}";
        if (command.Any(char.IsControl)) throw new StoreException("a path with control characters cannot stand in authorized_keys: choose another with --store DIR");
        return command;
    }

    private static string? UsualStore()
    {
        try
        {
            return ServerOptions.StoreOf();
        }
        catch (OptionException)
        {
            return null;
        }
    }

    /// <summary>This program; the apphost beside it when the process is <c>dotnet</c>.</summary>
    private static string ProgramPath()
    {
        string? process = Environment.ProcessPath;
        return process is not null && Path.GetFileName(process) == Name ? process : Path.Combine(AppContext.BaseDirectory, Name);
    }

    private static bool IsStandard(string program) =>
        StandardDirectories.Select(directory => Path.Combine(directory, Name)).Any(path => path == program
            || (File.Exists(path) && (File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path) == program));
}
