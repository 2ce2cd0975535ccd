namespace Netdump.Client.Image;

/// <summary>A kernel module's file.</summary>
/// <param name="Name">Name with underscores.</param>
/// <param name="File">Path below the module directory, with its compression ending.</param>
public sealed record ModuleFile(string Name, string File);

/// <summary>
/// What depmod wrote beside the modules of a kernel (depmod(8), modules.dep(5)): which file a name is in, what it depends on, hard and soft,
/// what is built in. Gives modules in the order to load them.
/// </summary>
public sealed class ModuleTree
{
    private readonly Dictionary<string, (ModuleFile File, string[] Dependencies)> _modules = [];
    private readonly Dictionary<string, (List<string> Before, List<string> After)> _soft = [];
    private readonly Dictionary<string, List<string>> _aliases = [];
    private readonly HashSet<string> _builtIn = [];

    /// <summary>Reads modules.dep, modules.softdep, modules.alias and modules.builtin of a directory such as /lib/modules/6.1.0.</summary>
    /// <exception cref="ClientException">There is no modules.dep.</exception>
    public ModuleTree(string directory)
    {
        Directory = directory;
        string dependencies = Path.Combine(directory, "modules.dep");
        if (!File.Exists(dependencies)) throw new ClientException($"{dependencies} does not exist", "install the modules of the running kernel and run depmod");
        foreach (string line in File.ReadLines(dependencies))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0) continue;
            var file = new ModuleFile(NameOf(line[..colon]), line[..colon]);
            string[] names = [.. line[(colon + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(NameOf)];
            _modules[file.Name] = (file, names);
        }
        foreach (string line in Lines("modules.builtin")) _builtIn.Add(NameOf(line));
        foreach (string line in Lines("modules.softdep")) ReadSoft(line);
        foreach (string line in Lines("modules.alias"))
        {
            // Aliases with patterns are devices' names; a soft dependency names its alias in full.
            if (line.Split(' ') is not ["alias", string alias, string module] || alias.AsSpan().IndexOfAny("*?[") >= 0) continue;
            alias = Normal(alias);
            if (!_aliases.TryGetValue(alias, out List<string>? modules)) _aliases[alias] = modules = [];
            modules.Add(Normal(module));
        }
    }

    /// <summary>The directory the tree was read from.</summary>
    public string Directory { get; }

    /// <summary>True when the kernel has a module of that name built in.</summary>
    public bool IsBuiltIn(string name) => _builtIn.Contains(Normal(name));

    /// <summary>True when there is a file of that name.</summary>
    public bool Contains(string name) => _modules.ContainsKey(Normal(name));

    /// <summary>True for the driver of a watchdog: its file lies among those.</summary>
    public bool IsWatchdog(string name) => _modules.TryGetValue(Normal(name), out (ModuleFile File, string[] Dependencies) module) && module.File.File.Contains("/watchdog/", StringComparison.Ordinal);

    /// <summary>Adds a soft dependency as a module's own <c>softdep=</c> line tells it: <c>pre: a b post: c</c>.</summary>
    public void AddSoftDependency(string name, string text) => ReadSoft($"softdep {name} {text}");

    /// <summary>
    /// The modules needed for the named ones, each once, dependencies first. What is built in is left out. Soft dependencies that do not exist
    /// are skipped, as modprobe does; a named module that does not exist is handed to <paramref name="missing"/>.
    /// </summary>
    public IReadOnlyList<ModuleFile> Order(IEnumerable<string> names, Action<string> missing)
    {
        var order = new List<ModuleFile>();
        var seen = new HashSet<string>();
        foreach (string name in names)
        {
            string normal = Normal(name);
            if (!Contains(normal) && !IsBuiltIn(normal) && !_aliases.ContainsKey(normal)) missing(name);
            else Visit(normal, seen, order, missing);
        }
        return order;
    }

    /// <summary>A module's name from its file: the file name up to .ko, with underscores.</summary>
    public static string NameOf(string file)
    {
        string name = Path.GetFileName(file);
        int end = name.IndexOf(".ko", StringComparison.Ordinal);
        return Normal(end < 0 ? name : name[..end]);
    }

    private static string Normal(string name) => name.Replace('-', '_');

    private void Visit(string name, HashSet<string> seen, List<ModuleFile> order, Action<string> missing)
    {
        if (!seen.Add(name) || _builtIn.Contains(name)) return;
        if (!_modules.TryGetValue(name, out (ModuleFile File, string[] Dependencies) module))
        {
            foreach (string target in _aliases.GetValueOrDefault(name) ?? []) Visit(target, seen, order, missing);
            return;
        }
        (List<string> Before, List<string> After) soft = _soft.GetValueOrDefault(name, ([], []));
        foreach (string before in soft.Before) Visit(before, seen, order, missing);
        // modules.dep lists what is needed first last.
        foreach (string dependency in module.Dependencies.Reverse())
        {
            if (!_modules.ContainsKey(dependency) && !_builtIn.Contains(dependency)) missing(dependency);
            Visit(dependency, seen, order, missing);
        }
        order.Add(module.File);
        foreach (string after in soft.After) Visit(after, seen, order, missing);
    }

    private void ReadSoft(string line)
    {
        string[] words = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        if (words is not ["softdep", string name, .. string[] rest]) return;
        name = Normal(name);
        if (!_soft.TryGetValue(name, out (List<string> Before, List<string> After) soft)) _soft[name] = soft = ([], []);
        List<string> into = soft.Before;
        foreach (string word in rest)
        {
            if (word == "pre:") into = soft.Before;
            else if (word == "post:") into = soft.After;
            else if (!into.Contains(Normal(word))) into.Add(Normal(word));
        }
    }

    private IEnumerable<string> Lines(string name)
    {
        string path = Path.Combine(Directory, name);
        return File.Exists(path) ? File.ReadLines(path) : [];
    }
}
