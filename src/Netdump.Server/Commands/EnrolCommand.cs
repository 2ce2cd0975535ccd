using System.CommandLine;
using System.Text.Json;
using Netdump.Protocols.Keys;
using Netdump.Server.Enrolment;
using Netdump.Server.Options;
using Netdump.Server.Store;

namespace Netdump.Server.Commands;

/// <summary><c>netdump-server enrol</c>: lets a host send its dumps here.</summary>
internal static class EnrolCommand
{
    private const int LongestKey = 8 * 1024;
    private const string Input = "-";

    private const string Examples = """
          netdump-server enrol web-17.pub --store ./crashes
              a host's public key; prints the fingerprint of this server, which the host pins
          netdump-server enrol - --name web-17 < id_ecdsa.pub
              from the input: what netdump propagate runs here by ssh
          netdump-server enrol --token
              a code for a host without ssh: netdump propagate --token CODE@SHA256:... there, within an hour
        """;

    public static Command Create()
    {
        StoreArgument store = new();
        Argument<string> file = new("KEYFILE") { Arity = ArgumentArity.ZeroOrOne, Description = "the host's public key (ECDSA P-256, a line as in id_ecdsa.pub), or - for the input" };
        Option<bool> token = new("--token") { Description = "no key: make a code that enrols one host, within an hour" };
        Option<string> name = new("--name") { HelpName = "NAME", Description = "what the host is called [the key's comment]" };
        Option<bool> json = new("--json") { Description = "for programs" };
        CommandWithExamples command = new("enrol", "lets a host send its dumps here, by its public key or by a code", Examples) { file, token, name, json };
        store.AddTo(command);
        command.Validators.Add(result =>
        {
            bool isFile = result.GetValue(file) is not null;
            if (isFile == result.GetValue(token)) result.AddError(isFile ? "enrol takes a KEYFILE or --token, not both" : "enrol needs a KEYFILE, - for the input, or --token");
        });
        name.Validators.Add(result =>
        {
            if (result.GetValue(name) is { } text && !HostName.IsValid(text)) result.AddError($"--name: a host's name has {HostName.Rule}");
        });
        command.SetAction(result => result.GetValue(file) is { } path
            ? Enrol(store.Read(result), path, result.GetValue(name), result.GetValue(json), result.InvocationConfiguration.Output)
            : MakeToken(store.Read(result), result.GetValue(name), result.GetValue(json), result.InvocationConfiguration.Output));
        return command;
    }

    private static int Enrol(CrashStore store, string path, string? name, bool json, TextWriter output)
    {
        SshPublicKey key = ReadKey(path);
        name ??= key.Comment;
        if (name.Length == 0) throw new OptionException("the key has no comment: say what the host is called with --name NAME");
        if (!HostName.IsValid(name)) throw new OptionException($"the key's comment '{Printable(name)}' is no name of a host ({HostName.Rule}): give one with --name NAME");
        StoreOwner.Become(store);
        EnrolmentResult result = new HostEnrolment(store, TimeProvider.System).Enrol(key, name, Subcommands.Origin);
        if (!result.IsEnrolled) throw new OptionException($"{result.Message}; {result.Remedy}");
        using ServerIdentity identity = ServerIdentity.Load(store);
        if (json)
        {
            EnrolmentReport report = new(result.Host!.Name, key.Fingerprint.ToString(), result.Outcome == EnrolmentOutcome.Enrolled, identity.Fingerprint.ToString());
            output.WriteLine(JsonSerializer.Serialize(report, CommandJson.Plain.EnrolmentReport));
        }
        else
        {
            // The output is the fingerprint alone: netdump propagate reads it.
            Console.Error.WriteLine($"{result.Message} (key {key.Fingerprint})");
            output.WriteLine(identity.Fingerprint);
        }

        WarnOfStrictModes(store);
        return 0;
    }

    private static int MakeToken(CrashStore store, string? name, bool json, TextWriter output)
    {
        StoreOwner.Become(store);
        using ServerIdentity identity = ServerIdentity.Load(store);
        string code = $"{new HostEnrolment(store, TimeProvider.System).NewToken(name)}@{identity.Fingerprint}";
        DateTimeOffset ends = TimeProvider.System.GetUtcNow() + EnrolmentTokens.Life;
        if (json)
        {
            output.WriteLine(JsonSerializer.Serialize(new TokenReport(code, name, ends), CommandJson.Plain.TokenReport));
            return 0;
        }

        output.WriteLine(code);
        Console.Error.WriteLine($"works once, until {ends.ToLocalTime():HH:mm}; on the host: netdump propagate --token {code}");
        return 0;
    }

    private static SshPublicKey ReadKey(string path)
    {
        string text;
        try
        {
            using Stream stream = path == Input ? Console.OpenStandardInput() : new FileStream(path, FileMode.Open, FileAccess.Read);
            byte[] bytes = new byte[LongestKey + 1];
            int length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length > LongestKey) throw new OptionException($"{Place(path)} is longer than any public key: give the .pub file of an ECDSA P-256 key");
            text = System.Text.Encoding.UTF8.GetString(bytes, 0, length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string reason = e is FileNotFoundException or DirectoryNotFoundException ? "no such file" : e is UnauthorizedAccessException ? "permission denied" : e.Message;
            throw new OptionException($"cannot read the key in {path}: {reason}", e);
        }

        string[] lines = [.. text.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0 && l[0] != '#')];
        if (lines.Length == 1 && SshPublicKey.TryParse(lines[0], out SshPublicKey? key)) return key;
        if (text.Contains("PRIVATE KEY", StringComparison.Ordinal)) throw new OptionException($"{Place(path)} is a private key, which belongs on its host alone: give the public one ({path}.pub)");
        throw new OptionException(lines.Length == 1 && lines[0].Split(' ')[0] is { } kind && kind.StartsWith("ssh-", StringComparison.Ordinal)
            ? $"{Place(path)} is a key of the kind {Printable(kind)}: only {SshPublicKey.Algorithm} keys are enrolled, as netdump keygen and ssh-keygen -t ecdsa -b 256 make them"
            : $"{Place(path)} is no public key: one line, {SshPublicKey.Algorithm} BASE64 NAME");
    }

    private static void WarnOfStrictModes(CrashStore store)
    {
        const UnixFileMode others = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
        using StoreFolder? root = StoreFolder.TryOpenRoot(store);
        if (root is not null && (root.Mode & others) != UnixFileMode.None)
            Console.Error.WriteLine($"warning: others may write to {store.Root}, and sshd takes no key from there then: chmod go-w {store.Root}");
    }

    private static string Place(string path) => path == Input ? "the input" : path;

    private static string Printable(string text) => string.Concat((text.Length > 60 ? text[..60] + "..." : text).Select(c => c is >= ' ' and <= '~' ? c : '?'));
}
