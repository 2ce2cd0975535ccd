using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using Netdump.Client.Configuration;
using Netdump.Client.Send;
using Netdump.Client.Trust;
using Netdump.Protocols.Classic;
using Netdump.Protocols.Keys;
using Netdump.Protocols.Upload;
using Netdump.Vmcore;
using Netdump.Vmcore.Codecs;

namespace Netdump.Client.Commands;

/// <summary><c>netdump send</c>: a dump that lies in a file goes to a server as if this host had just crashed.</summary>
public static class SendCommand
{
    private static readonly TimeSpan ClassicTimeout = TimeSpan.FromSeconds(30);
    private const int ClassicPort = 6666;
    private const int SecureLevel = 31;
    private const string Examples = """
        netdump send vmcore --server 10.0.0.2
        netdump send vmcore --server 10.0.0.2 --key ./key --pin SHA256:…     a key of netdump keygen, what netdump-server fingerprint prints
        netdump send /var/crash/202611251200/dump.202611251200 --server dumps.example.org --json
        netdump send vmcore --classic --server 10.0.0.2     as the original did: in the clear
        netdump send vmcore --classic --server 10.0.0.2 --profile B     as RHEL 3 would
        netdump send vmcore --classic --server 127.0.0.1 --local-address 127.1.0.7     as one of many hosts
        """;

    /// <summary>Makes the command. It returns 0 when the server took the dump to its end.</summary>
    public static Command Create()
    {
        var file = new Argument<string>("FILE") { Description = "A dump in any format that netdump opens; with --classic an ELF core: /proc/vmcore or a copy of it" };
        var servers = new Option<string[]>("--server", "-s")
        {
            Description = "Where to; given several times, the first that takes it",
            HelpName = "HOST[:PORT]",
            Required = true,
            Arity = ArgumentArity.OneOrMore,
        };
        var port = new Option<int?>("--port", "-p") { Description = $"The servers' port [default: {UploadPaths.DefaultPort}, with --classic UDP {ClassicPort}]", HelpName = "N" };
        var key = new Option<string?>("--key", "-k") { Description = $"The private key to send with, enrolled at the server [default: {HostKey.FilePath}]", HelpName = "FILE" };
        var pin = new Option<string?>("--pin") { Description = $"The server's key [default: as in {KnownServers.FilePath}]", HelpName = "SHA256:…" };
        var timeout = new Option<int?>("--timeout") { Description = "Give a server up that is silent for so long [default: 30, and 120 once it has answered; with --classic 30]", HelpName = "SECONDS" };
        var level = new Option<int?>("--dump-level", "-d")
        {
            Description = $"Pages to leave out, as in netdump filter; a dump that is compressed already goes as it is [default: {SecureLevel}; with --classic 0, and an original server stores zeros]",
            HelpName = "0-31",
        };
        level.Validators.Add(r =>
        {
            if (r.GetValue(level) is < 0 or > 31)
                r.AddError("--dump-level must be from 0 to 31.");
        });
        var compress = new Option<string>("--compress", "-c") { Description = "How pages are compressed: zlib is slower, and older readers know it [default: zstd]", HelpName = "zstd|zlib" };
        compress.AcceptOnlyFromAmong("zstd", "zlib");
        var threads = new Option<int?>("--threads") { Description = "Threads that compress [default: one for each processor, 8 at most]", HelpName = "N" };
        threads.Validators.Add(r =>
        {
            if (r.GetValue(threads) is < 1 or > 16)
                r.AddError("--threads must be from 1 to 16.");
        });
        var json = new Option<bool>("--json") { Description = "Progress and result for programs, one JSON object a line" };
        var classic = new Option<bool>("--classic") { Description = "By the netdump protocol on UDP, not encrypted" };
        var localPort = new Option<int?>("--local-port") { Description = "With --classic: UDP port to send from [default: 6666 if free, else any]", HelpName = "N" };
        var localAddress = new Option<string?>("--local-address") { Description = "With --classic: address of this machine to send from [default: by the route]", HelpName = "ADDR" };
        var plain = new Option<bool>("--plain") { Description = "With --classic: hand each datagram to the kernel by itself (no UDP_SEGMENT)" };
        var profile = new Option<ClassicClientProfile>("--profile")
        {
            Description = "With --classic: behave as an original client, A, B (RHEL 3), C or D (RHEL 4)",
            HelpName = "A|B|C|D",
            DefaultValueFactory = _ => ClassicClientProfile.Netdump,
        };
        var command = new CommandWithExamples("send", "Sends the dump in FILE to a netdump server, encrypted; run again, it goes on where it ended.", Examples)
        {
            file, servers, port, key, pin, timeout, level, compress, threads, json, classic, localAddress, localPort, plain, profile,
        };
        foreach (var number in new[] { port, timeout, localPort })
            number.Validators.Add(r => Check(r.GetValue(number) ?? 1, number.Name, r.AddError));
        localAddress.Validators.Add(r =>
        {
            if (r.GetValue(localAddress) is { } text && !IPAddress.TryParse(text, out _))
                r.AddError($"'{text}' is no IP address.");
        });
        pin.Validators.Add(r =>
        {
            if (r.GetValue(pin) is { } text && !KeyFingerprint.TryParse(text, out _))
                r.AddError("--pin is SHA256:…, as netdump-server fingerprint prints it.");
        });
        Option[] secureOnly = [key, pin, compress, threads];
        Option[] classicOnly = [localAddress, localPort, plain, profile];
        command.Validators.Add(r =>
        {
            foreach (var other in r.GetValue(classic) ? secureOnly : classicOnly)
                if (r.GetResult(other) is { Implicit: false })
                    r.AddError(r.GetValue(classic) ? $"{other.Name} is of the secure upload: leave it or --classic out." : $"{other.Name} is of the classic protocol: give --classic too.");
            if (r.GetValue(pin) is not null && r.GetValue(servers)?.Length > 1)
                r.AddError("--pin is of one server: name only that.");
            foreach (var server in r.GetValue(servers) ?? [])
                if (Endpoint.TryParse(server, ClassicPort) is null)
                    r.AddError($"'{server}' is no HOST or HOST:PORT.");
        });
        command.SetAction(p => Send(p.GetValue(json), (display, stop) =>
        {
            var path = p.GetRequiredValue(file);
            var isClassic = p.GetValue(classic);
            var timeLimit = p.GetValue(timeout) is { } seconds ? TimeSpan.FromSeconds(seconds) : (TimeSpan?)null;
            var to = p.GetRequiredValue(servers).Select(s => Endpoint.TryParse(s, p.GetValue(port) ?? (isClassic ? ClassicPort : UploadPaths.DefaultPort))!).ToList();
            if (!isClassic)
            {
                KeyFingerprint? pinned = p.GetValue(pin) is { } text && KeyFingerprint.TryParse(text, out var fingerprint) ? fingerprint : null;
                return SendSecurely.Run(new SecureRequest(path, to, p.GetValue(key) ?? HostKey.FilePath, pinned, p.GetValue(level) ?? SecureLevel,
                    p.GetValue(compress) == "zlib" ? PageCodec.Zlib : PageCodec.Zstd, p.GetValue(threads), timeLimit), display, stop);
            }
            return SendClassic(path, to, new SendOptions
            {
                Profile = p.GetValue(profile),
                LocalPort = p.GetValue(localPort),
                DumpLevel = p.GetValue(level) ?? 0,
                FilterNote = display.Note,
                LocalAddress = p.GetValue(localAddress) is { } address ? IPAddress.Parse(address) : null,
                IsPlain = p.GetValue(plain),
                Magic = SendOptions.MagicOf(Guid.NewGuid()),
                AcknowledgeLimit = timeLimit ?? ClassicTimeout,
                SilenceLimit = timeLimit ?? ClassicTimeout,
                RebootDelay = TimeSpan.Zero, // there is no machine to restart: the server's word is the end
            }, display, stop);
        }));
        return command;
    }

    private static int Send(bool json, Func<SendDisplay, CancellationToken, int> send)
    {
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, c => Stop(c, stop));
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, c => Stop(c, stop));
        return send(new SendDisplay(Console.Out, Console.Error, json, isTerminal: !Console.IsOutputRedirected), stop.Token);
    }

    /// <summary>Sends a file by the classic protocol.</summary>
    /// <exception cref="ClientException">The file is no whole dump, or no server took it.</exception>
    private static int SendClassic(string path, List<Endpoint> servers, SendOptions options, SendDisplay display, CancellationToken stop)
    {
        using var source = Open(path);
        var targets = servers.Select(Resolve).ToList();
        var result = new ClassicSender(source, options, display.Show).Run(targets, stop);
        display.End(result, source.LogTrouble);
        return result.IsDone ? 0 : throw Explain(result, options);
    }

    private static DumpSource Open(string path)
    {
        DumpSource source;
        try
        {
            source = DumpSource.Open(path);
        }
        catch (VmcoreFormatException e)
        {
            throw new ClientException($"{path}: {e.Message}", inner: e);
        }
        if (!source.File.IsTruncated)
            return source;
        using (source)
            throw CutShort(path, source.File);
    }

    /// <summary>The dump is not whole.</summary>
    internal static ClientException CutShort(string path, VmcoreFile file) =>
        new($"{path} is cut short: it has {file.Bytes.Length} of {file.LengthNeeded} bytes", "copy it again");

    private static SendTarget Resolve(Endpoint server) => new(server.ToString(), new IPEndPoint(server.Resolve()[0], server.Port));

    private static ClientException Explain(SendResult result, SendOptions options)
    {
        var name = result.Target.Name;
        var seconds = options.AcknowledgeLimit.TotalSeconds.ToString("0", CultureInfo.InvariantCulture);
        return result.Outcome switch
        {
            SendOutcome.PortClosed => new ClientException($"nothing listens at {name}", "start netdump-server there, or check the port"),
            SendOutcome.NoAnswer => new ClientException(
                $"no answer from {name} within {seconds} s", "check that netdump-server runs there and that UDP passes both ways"),
            SendOutcome.Silent => new ClientException($"{name} asked for nothing more for {seconds} s", "see the server's log, then send again"),
            SendOutcome.Refused => new ClientException($"{name} speaks no version of the protocol that can take this dump", "update the server"),
            SendOutcome.Unreachable => new ClientException($"there is no way to {name}", "check the network"),
            _ => new ClientException("interrupted", "the server keeps what it has as vmcore-incomplete"),
        };
    }

    private static void Check(int value, string name, Action<string> complain)
    {
        if (value is < 1 or > 65535)
            complain($"{name} must be from 1 to 65535.");
    }

    private static void Stop(PosixSignalContext context, CancellationTokenSource stop)
    {
        context.Cancel = true;
        stop.Cancel();
    }
}
