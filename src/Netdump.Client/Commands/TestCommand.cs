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
        var command = new Command("test", "Crashes this host at once, to see its dump arrive. Asks for the host's name first.") { confirm };
        command.Aliases.Add("crash-test");
        command.SetAction(p => Crash(RootProgram.ThisHost, p.GetValue(confirm)));
        return command;
    }

    private static int Crash(HostFiles host, string? name)
    {
        RootProgram.RequireRoot("test");
        if (!new HostChecks(host).CrashKernelLoaded) throw new ClientException("no crash kernel is loaded: nothing would be dumped", "run netdump start first");
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
