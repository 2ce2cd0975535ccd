using System.CommandLine;
using System.Runtime.CompilerServices;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Client.Spool;
using Netdump.Client.Trust;

namespace Netdump.Client.Commands;

/// <summary><c>netdump start</c> and <c>netdump restart</c>.</summary>
internal static class StartCommand
{
    public static Option<string?> ConfigOption() => new("--config", "-c") { Description = "Configuration file, instead of /etc/netdump.conf and its like", HelpName = "FILE" };

    public static Command Create()
    {
        Option<string?> config = ConfigOption();
        var dryRun = new Option<bool>("--dry-run", "-n") { Description = "Change nothing; say what would be done" };
        var replace = new Option<bool>("--replace") { Description = "Replace a crash kernel that another program loaded" };
        var triggers = new Option<string?>("--triggers")
        {
            Description = $"What is to become a crash: {Triggers.Words}, with commas [default: TRIGGERS of the configuration, else oops]",
            HelpName = "LIST",
        };
        triggers.Validators.Add(r =>
        {
            if (r.GetValue(triggers) is { } list && Triggers.Parse(list) is null) r.AddError($"--triggers {list} is not a list of {Triggers.Words}.");
        });
        const string Examples = """
            netdump start                               with /etc/netdump.conf
            netdump start --dry-run                     says what it would do: no root needed
            netdump start --triggers oops,lockup,nmi    a host that hangs is dumped too
            netdump start --config ./lab.conf --replace
            """;
        var command = new CommandWithExamples("start", "Arms this host: loads the capture kernel, sets the triggers, starts netconsole.", Examples)
        {
            config, dryRun, replace, triggers,
        };
        command.SetAction(p => Start(command.Name, p.GetValue(config), p.GetValue(dryRun),
            new ArmingOptions(p.GetValue(replace), p.GetValue(triggers) is { } list ? Triggers.Parse(list) : null)));
        return command;
    }

    public static Command CreateRestart()
    {
        Option<string?> config = ConfigOption();
        const string Examples = """
            netdump restart                             after a change of /etc/netdump.conf or of the network
            """;
        var command = new CommandWithExamples("restart", "Arms this host anew, with the configuration as it is now.", Examples) { config };
        command.SetAction(p => Start(command.Name, p.GetValue(config), dryRun: false, new ArmingOptions()));
        return command;
    }

    public static Arming ArmingOf(HostFiles host) => new(host, new CrashKernelLoader(host), TimeProvider.System, Console.WriteLine);

    private static int Start(string command, string? file, bool dryRun, ArmingOptions options)
    {
        HostFiles host = RootProgram.ThisHost;
        ClientConfiguration configuration = ClientConfiguration.Load(host, file);
        if (!dryRun) RootProgram.RequireRoot(command);
        if (!dryRun && RuntimeFeature.IsDynamicCodeSupported)
            throw new ClientException("this is a development build, which cannot run in a capture kernel", "start the published program (make publish)");
        if (dryRun)
        {
            ArmingPlan would = ArmingPlan.Make(host, configuration, options, Console.WriteLine);
            Describe(would);
            SayWhere(would, dryRun);
            return 0;
        }
        using IDisposable mine = ArmingLock.Take(host, RootProgram.LockLimit);
        try
        {
            ArmingPlan plan = ArmingPlan.Make(host, configuration, options, Console.WriteLine);
            ArmedState state = ArmingOf(host).Start(plan);
            if (state.CrashKernel && new HostChecks(host).Reservation(state) is { Level: CheckLevel.Warn } small) Console.WriteLine(small);
            FailedStart.Remove(host);
            TestRecord.NoteReturn(host);
            SayWhere(plan, dryRun);
            // Armed by now: what follows may take seconds when a server is down, and fails nothing.
            if (plan.Transport is { } transport)
                foreach (Check check in Magic.Deposit(host, configuration, transport, plan.BootId)) Console.WriteLine(check);
            if (configuration.Spool is not null && plan.Transport is { IsSecure: true }) SpoolSending.Begin(configuration.Source);
            return 0;
        }
        catch (ClientException e)
        {
            FailedStart.Keep(host, TimeProvider.System.GetUtcNow(), e.AsCheck("loaded", "not-loaded"));
            throw;
        }
    }

    private static void Describe(ArmingPlan plan)
    {
        if (plan.CrashKernel is { } crash)
        {
            Console.WriteLine($"would load {crash.Kernel}");
            Console.WriteLine($"  command line: {crash.CommandLine}");
            Console.WriteLine($"  modules: {string.Join(' ', crash.Image.Drivers.Modules.Select(m => m.Name))}");
            Console.WriteLine($"  firmware: {(crash.Image.Drivers.Firmware.Count == 0 ? "none" : string.Join(' ', crash.Image.Drivers.Firmware.Select(f => f.Path)))}");
            string settings = string.Join(", ", Triggers.Settings(RootProgram.ThisHost, plan.Triggers).Select(s => $"kernel.{s}=1"));
            if (settings.Length > 0) Console.WriteLine($"would set {settings}");
        }
        foreach (ConsolePlan console in plan.Consoles)
        {
            NetConsoleSettings s = console.Settings;
            Console.WriteLine($"would start netconsole {console.Name}: {s.Device} {s.Local} -> {s.Remote}:{s.RemotePort} ({s.Mac})");
        }
    }

    private static void SayWhere(ArmingPlan plan, bool dryRun)
    {
        if (plan.Paths is [var first, ..])
        {
            string way = plan.Transport is { IsSecure: true } transport ? transport.Classic ? " encrypted, in the clear if that fails" : " encrypted" : "";
            Console.WriteLine($"{(dryRun ? "would be armed" : "armed")}: a crash of this host is dumped{way} to {first.Server},");
            Console.WriteLine($"there in {plan.Directory}DATE-TIME/: log, vmcore");
        }
        else
        {
            Console.WriteLine($"{(dryRun ? "would send" : "sending")} console lines only: NETDUMPADDR is empty");
        }
    }
}
