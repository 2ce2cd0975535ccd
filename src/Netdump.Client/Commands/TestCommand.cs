using System.CommandLine;
using Netdump.Client.Host;
using Netdump.Client.Linux;

namespace Netdump.Client.Commands;

/// <summary><c>netdump test</c>: the only proof that a dump arrives is a dump that arrived.</summary>
internal static class TestCommand
{
    public static Command Create()
    {
        var confirm = new Option<string?>("--confirm") { Description = "This host's name, for scripts: nothing is asked", HelpName = "NAME" };
        var arrived = new Option<bool>("--arrived") { Description = "Crash nothing: say that the dump of the last test is on the server, whole" };
        const string Examples = """
            netdump test
            netdump test --confirm "$(uname -n)"        crashes without a question
            netdump test --arrived                      after a look at the server: status says proven
            """;
        var command = new CommandWithExamples("test", "Crashes this host at once, to see its dump arrive. Asks for the host's name first.", Examples) { confirm, arrived };
        command.Aliases.Add("crash-test");
        command.SetAction(p => p.GetValue(arrived) ? Arrived(RootProgram.ThisHost) : Crash(RootProgram.ThisHost, p.GetValue(confirm)));
        return command;
    }

    /// <summary>Refuses a crash that would not be dumped, or by another program.</summary>
    /// <exception cref="ClientException">No crash kernel is loaded, or not ours.</exception>
    internal static void RequireOurCrashKernel(HostFiles host)
    {
        if (!new HostChecks(host).CrashKernelLoaded) throw new ClientException("no crash kernel is loaded: nothing would be dumped", "run netdump start first");
        if (ArmedState.Read(host) is not { CrashKernel: true })
            throw new ClientException("the crash kernel that is loaded is not netdump's", "stop its service (kdump, kdump-tools), then run netdump start");
    }

    private static int Crash(HostFiles host, string? name)
    {
        RootProgram.RequireRoot("test");
        RequireOurCrashKernel(host);
        string own = KernelIdentity.Running().NodeName;
        if (name is null)
        {
            Console.Write($"This crashes {own} NOW: everything it does is lost. Type its name in full to go on: ");
            name = Console.ReadLine();
        }
        if (name?.Trim() != own) throw new ClientException($"'{name}' is not this host's name", "nothing was done");
        Record(host);
        Power.Sync();
        // A write by root is obeyed whatever kernel.sysrq says; that mask is for the keyboard.
        host.Write("/proc/sysrq-trigger", "c");
        TestRecord.Remove(host);
        throw new ClientException("the kernel did not crash", "see dmesg");
    }

    /// <summary>Keeps that the host was tested, and with which image. Nothing else can be written once the kernel is dead.</summary>
    private static void Record(HostFiles host)
    {
        ArmedState state = ArmedState.Read(host)!; // RequireOurCrashKernel saw it
        try
        {
            new TestRecord
            {
                BootId = state.BootId,
                At = TimeProvider.System.GetUtcNow(),
                Image = state.Image,
                Directory = state.Directory,
            }.Save(host);
        }
        catch (ClientException e)
        {
            Console.WriteLine(new Check(CheckLevel.Warn, "last proven", $"this test will not be remembered: {e.Fact}", e.Advice, "untested"));
        }
    }

    /// <summary>Notes that somebody saw the dump of the last test on the server.</summary>
    internal static int Arrived(HostFiles host)
    {
        RootProgram.RequireRoot("test --arrived");
        TestRecord record = TestRecord.Read(host) ?? throw new ClientException("this host was never tested", "netdump test");
        if (record.IsOfThisBoot(host)) throw new ClientException("the last test did not crash this host", "netdump test");
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        (record with { ArrivedSaidAt = now }).Save(host);
        Console.WriteLine(TestRecord.Examine(TestRecord.Read(host), host, ArmedState.Read(host)?.Image, now));
        return 0;
    }
}
