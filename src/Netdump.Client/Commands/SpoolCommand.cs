using System.CommandLine;
using Netdump.Client.Configuration;
using Netdump.Client.Send;
using Netdump.Client.Spool;

namespace Netdump.Client.Commands;

/// <summary><c>netdump spool</c>: a disk for a dump that no server took.</summary>
internal static class SpoolCommand
{
    public static Command Create()
    {
        const string Examples = """
            netdump spool init /dev/disk/by-partlabel/netdump     makes an empty device a spool; then SPOOL= in the configuration
            netdump spool send                                    sends the dump it keeps, as netdump start does by itself
            """;
        var device = new Argument<string>("DEVICE") { Description = "An empty block device: a partition or a disk" };
        var init = new Command("init", "Makes an empty device a spool. Refuses one that holds anything.") { device };
        init.SetAction(p => Init(p.GetRequiredValue(device)));
        Option<string?> config = StartCommand.ConfigOption();
        var send = new Command("send", "Sends the dump that the spool keeps, and empties it.") { config };
        send.SetAction(p => Send(p.GetValue(config)));
        return new CommandWithExamples("spool", "Keeps a dump that no server took on a local disk until one does.", Examples) { init, send };
    }

    private static int Init(string path)
    {
        RootProgram.RequireRoot("spool init");
        using SpoolDevice spool = SpoolDevice.Init(path);
        Console.WriteLine($"{path} is a spool of {spool.Size >> 20} MiB{(spool.DumpLength > 0 ? $", and keeps a dump of {spool.DumpLength >> 20} MiB" : "")}; set SPOOL={path} and run netdump restart");
        return 0;
    }

    private static int Send(string? file)
    {
        RootProgram.RequireRoot("spool send");
        ClientConfiguration configuration = ClientConfiguration.Load(RootProgram.ThisHost, file);
        var display = new SendDisplay(Console.Out, Console.Error, json: false, isTerminal: !Console.IsOutputRedirected);
        string? crash = SpoolSending.Send(RootProgram.ThisHost, configuration, display.Show, Console.WriteLine);
        Console.WriteLine(crash is null ? "the spool is empty: nothing to send" : $"the spooled dump is on the server: {crash}");
        return 0;
    }
}
