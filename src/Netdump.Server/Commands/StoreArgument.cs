using System.CommandLine;
using Netdump.Server.Options;
using Netdump.Server.Store;

namespace Netdump.Server.Commands;

/// <summary>The options of a subcommand that say which store it is about: as the server takes them.</summary>
internal sealed class StoreArgument
{
    private readonly Option<string> _store = new("--store", "-C", "--dumpdir") { HelpName = "DIR", Description = "directory that holds the crashes [of the settings file, else /var/crash]" };
    private readonly Option<string> _config = new("--config") { HelpName = "FILE", Description = $"settings file, of which only the store counts [{ConfigurationFile.DefaultPath} if there]" };

    /// <summary>Adds the options.</summary>
    public void AddTo(Command command)
    {
        command.Add(_store);
        command.Add(_config);
    }

    /// <summary>The store that was named. Throws <see cref="OptionException"/>.</summary>
    public CrashStore Read(ParseResult result)
    {
        string root = result.GetValue(_store) ?? ServerOptions.StoreOf(result.GetValue(_config));
        if (root.Length == 0) throw new OptionException("--store: a name is needed") { IsUsage = true };
        return new CrashStore(root, TimeProvider.System);
    }

    /// <summary>The same, of a store that must be there. Throws <see cref="StoreException"/>.</summary>
    public CrashStore ReadExisting(ParseResult result)
    {
        CrashStore store = Read(result);
        if (!Directory.Exists(store.Root)) throw new StoreException($"there is no store {store.Root}: name it with --store DIR");
        return store;
    }
}
