using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Client.Trust;

namespace Netdump.Client.Commands;

/// <summary><c>netdump watch</c>: somebody has to notice that the network or the kernel changed.</summary>
internal static class WatchCommand
{
    /// <summary>The kernel takes up to 5 s before it confirms an old entry, 3 s to give it up and 1 s to find the new one (neigh_parms of ARP and ND).</summary>
    private static readonly TimeSpan ConfirmLimit = TimeSpan.FromSeconds(12);

    public static Command Create()
    {
        Option<string?> config = StartCommand.ConfigOption();
        var interval = new Option<int>("--interval", "-i") { Description = "Between two looks", HelpName = "SECONDS", DefaultValueFactory = _ => 60 };
        interval.Validators.Add(r =>
        {
            if (r.GetValue(interval) is < 1 or > 86400) r.AddError("--interval is a number of seconds from 1 to 86400.");
        });
        var arm = new Option<bool>("--arm") { Description = "Arm this host first, as soon as that works" };
        var json = new Option<bool>("--json") { Description = "For programs, one JSON object a line" };
        const string Examples = """
            netdump watch                               in the foreground, for a service; SIGTERM ends it
            netdump watch --arm --interval 30           the network may come later than the service
            """;
        var command = new CommandWithExamples("watch", "Keeps an armed host armed: repairs netconsole, replaces an image that is stale, tells each trouble once.", Examples)
        {
            config, interval, arm, json,
        };
        command.SetAction(p => Watch(p.GetValue(config), TimeSpan.FromSeconds(p.GetValue(interval)), p.GetValue(arm), p.GetValue(json)));
        return command;
    }

    private static int Watch(string? file, TimeSpan interval, bool arm, bool json)
    {
        RootProgram.RequireRoot("watch");
        HostFiles host = RootProgram.ThisHost;
        using var stop = new CancellationTokenSource();
        void End(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        Action<Check> tell = json ? TellAsJson : Tell;
        var watch = new HostWatch(host, () => ClientConfiguration.Load(host, file), Rearm, (path, netlink) => path.ConfirmNextHop(netlink, ConfirmLimit), tell) { ArmsFirst = arm, AskServers = Ask };
        tell(new Check(CheckLevel.Ok, "watch", $"looking every {interval.TotalSeconds:0} s"));
        WatchLoop.Run(TimeProvider.System, interval, watch.Look, stop.Token);
        return 0;

        IReadOnlyList<Check> Ask(ClientConfiguration configuration, ArmedState state)
        {
            Check[] troubles =
            [
                .. ServerWords.Troubles(host, configuration),
                .. Magic.Deposit(host, configuration, TransportPlan.Make(host, configuration), state.BootId).Where(c => c.Level == CheckLevel.Warn),
            ];
            WipingHeap.Settle(); // a crash may come at any time in the day until it is asked again
            return troubles;
        }

        void Rearm(ClientConfiguration configuration)
        {
            ArmingPlan plan = ArmingPlan.Make(host, configuration, new ArmingOptions(), _ => { });
            new Arming(host, new CrashKernelLoader(host), TimeProvider.System, _ => { }).Start(plan);
            WipingHeap.Settle();
            FailedStart.Remove(host);
            TestRecord.NoteReturn(host);
        }
    }

    /// <summary>One line a trouble, as journals want it.</summary>
    private static void Tell(Check check) => Console.WriteLine(check.ToString().TrimStart().Replace("\n        ", " ", StringComparison.Ordinal));

    private static void TellAsJson(Check check) => Console.WriteLine(JsonSerializer.Serialize(
        new WatchEvent(TimeProvider.System.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture), check.Level, check.Name, check.Fact, check.Advice, check.Code),
        WatchJson.Default.WatchEvent));
}

/// <summary>A line of <c>netdump watch --json</c>.</summary>
internal sealed record WatchEvent(string Time, CheckLevel Level, string Name, string Fact, string? Advice, string? Code);

/// <summary>Reflection-free serializer of <see cref="WatchEvent"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true)]
[JsonSerializable(typeof(WatchEvent))]
internal sealed partial class WatchJson : JsonSerializerContext;
