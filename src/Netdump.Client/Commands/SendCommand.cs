using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using Netdump.Client.Configuration;
using Netdump.Client.Send;
using Netdump.Protocols.Classic;
using Netdump.Vmcore;

namespace Netdump.Client.Commands;

/// <summary><c>netdump send</c>: a dump that lies in a file goes to a server as if this host had just crashed.</summary>
public static class SendCommand
{
    private const int DefaultPort = 6666;
    private const string Examples = """
        netdump send vmcore --classic --server 10.0.0.2
        netdump send vmcore --classic --server dumps.example.org:6667 --json
        netdump send vmcore --classic --server 10.0.0.2 --dump-level 31
        netdump send vmcore --classic --server 10.0.0.2 --profile B     as RHEL 3 would
        netdump send vmcore --classic --server 127.0.0.1 --local-address 127.1.0.7     as one of many hosts
        """;

    /// <summary>Makes the command. It returns 0 when the server took the dump to its end.</summary>
    public static Command Create()
    {
        var file = new Argument<string>("FILE") { Description = "An ELF core: /proc/vmcore or a copy of it" };
        var classic = new Option<bool>("--classic") { Description = "By the netdump protocol on UDP, not encrypted" };
        var servers = new Option<string[]>("--server", "-s")
        {
            Description = "Where to; given several times, the first that answers",
            HelpName = "HOST[:PORT]",
            Required = true,
            Arity = ArgumentArity.OneOrMore,
        };
        var port = new Option<int>("--port", "-p") { Description = "The server's UDP port", HelpName = "N", DefaultValueFactory = _ => DefaultPort };
        var localPort = new Option<int?>("--local-port") { Description = "UDP port to send from [default: 6666 if free, else any]", HelpName = "N" };
        var localAddress = new Option<string?>("--local-address") { Description = "Address of this machine to send from [default: by the route]", HelpName = "ADDR" };
        var plain = new Option<bool>("--plain") { Description = "Hand each datagram to the kernel by itself (no UDP_SEGMENT)" };
        var profile = new Option<ClassicClientProfile>("--profile")
        {
            Description = "Behave as an original client: A, B (RHEL 3), C or D (RHEL 4)",
            HelpName = "A|B|C|D",
            DefaultValueFactory = _ => ClassicClientProfile.Netdump,
        };
        var timeout = new Option<int>("--timeout") { Description = "Give a server up that did not answer for so long", HelpName = "SECONDS", DefaultValueFactory = _ => 30 };
        var level = new Option<int>("--dump-level", "-d")
        {
            Description = "Pages to leave out, as in netdump filter; a server of ours stores them as excluded, an original one as zeros",
            HelpName = "0-31",
            DefaultValueFactory = _ => 0,
        };
        level.Validators.Add(r =>
        {
            if (r.GetValue(level) is < 0 or > 31)
                r.AddError("--dump-level must be from 0 to 31.");
        });
        var json = new Option<bool>("--json") { Description = "Progress and result for programs, one JSON object a line" };
        var command = new CommandWithExamples("send", "Sends the dump in FILE to a netdump server, as if its host had just crashed.", Examples)
        {
            file, classic, servers, port, localAddress, localPort, plain, profile, timeout, level, json,
        };
        foreach (var number in new[] { port, timeout })
            number.Validators.Add(r => Check(r.GetValue(number), number.Name, r.AddError));
        localPort.Validators.Add(r => Check(r.GetValue(localPort) ?? 1, localPort.Name, r.AddError));
        localAddress.Validators.Add(r =>
        {
            if (r.GetValue(localAddress) is { } text && !IPAddress.TryParse(text, out _))
                r.AddError($"'{text}' is no IP address.");
        });
        command.Validators.Add(r =>
        {
            if (!r.GetValue(classic))
                r.AddError("How to send is missing: give --classic.");
            foreach (var server in r.GetValue(servers) ?? [])
                if (Endpoint.TryParse(server, DefaultPort) is null)
                    r.AddError($"'{server}' is no HOST or HOST:PORT.");
        });
        command.SetAction(p => Send(
            p.GetRequiredValue(file), p.GetRequiredValue(servers), p.GetValue(port),
            new SendOptions
            {
                Profile = p.GetValue(profile),
                LocalPort = p.GetValue(localPort),
                DumpLevel = p.GetValue(level),
                FilterNote = note => Console.Error.WriteLine($"netdump: {note}"),
                LocalAddress = p.GetValue(localAddress) is { } address ? IPAddress.Parse(address) : null,
                IsPlain = p.GetValue(plain),
                Magic = SendOptions.MagicOf(Guid.NewGuid()),
                AcknowledgeLimit = TimeSpan.FromSeconds(p.GetValue(timeout)),
                SilenceLimit = TimeSpan.FromSeconds(p.GetValue(timeout)),
                RebootDelay = TimeSpan.Zero, // there is no machine to restart: the server's word is the end
            },
            p.GetValue(json)));
        return command;
    }

    /// <summary>Sends a file.</summary>
    /// <param name="path">The dump.</param>
    /// <param name="servers">As the operator wrote them.</param>
    /// <param name="port">Port of those that name none.</param>
    /// <param name="options">How.</param>
    /// <param name="json">For programs.</param>
    /// <returns>0.</returns>
    /// <exception cref="ClientException">The file is no whole dump, or no server took it.</exception>
    private static int Send(string path, string[] servers, int port, SendOptions options, bool json)
    {
        using var source = Open(path);
        var targets = servers.Select(s => Resolve(Endpoint.TryParse(s, port)!)).ToList();
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, c => Stop(c, stop));
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, c => Stop(c, stop));
        var display = new SendDisplay(Console.Out, json, isTerminal: !Console.IsOutputRedirected);
        var result = new ClassicSender(source, options, display.Show).Run(targets, stop.Token);
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
        var (has, needs) = (source.File.Bytes.Length, source.File.LengthNeeded);
        source.Dispose();
        throw new ClientException($"{path} is cut short: it has {has} of {needs} bytes", "copy it again");
    }

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
