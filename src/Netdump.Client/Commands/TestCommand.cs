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
        const string Examples = """
            netdump test
            netdump test --confirm "$(uname -n)"        crashes without a question
            """;
        var command = new CommandWithExamples("test", "Crashes this host at once, to see its dump arrive. Asks for the host's name first.", Examples) { confirm };
        command.Aliases.Add("crash-test");
        command.SetAction(p => Crash(RootProgram.ThisHost, p.GetValue(confirm)));
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
        Power.Sync();
        // A write by root is obeyed whatever kernel.sysrq says; that mask is for the keyboard.
        host.Write("/proc/sysrq-trigger", "c");
        throw new ClientException("the kernel did not crash", "see dmesg");
    }
}
