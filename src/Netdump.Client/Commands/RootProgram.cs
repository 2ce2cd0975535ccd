using System.CommandLine;
using Netdump.Client.Host;

namespace Netdump.Client.Commands;

/// <summary>The program's commands, as an operator sees them.</summary>
public static class RootProgram
{
    private const string Description = """
        Sends the log and the memory of a crashed kernel over the network to a netdump server.

        Examples:
          echo NETDUMPADDR=10.0.0.2 > /etc/netdump.conf
          netdump propagate          enrols this host at its server: dumps are encrypted from then on
          netdump start              loads the capture kernel, starts netconsole
          netdump start --dry-run    says what start would do
          netdump status             says whether a crash would be dumped
          netdump watch              keeps it so, in the foreground
          netdump send vmcore --server 10.0.0.2   sends a dump that lies in a file
          netdump test               crashes this host, to see the dump arrive
          netdump report vmcore      says what happened, out of a dump alone
          netdump info vmcore        says of which kernel a dump is, and whether it is complete
          netdump dmesg vmcore       prints the log of the kernel that died
          netdump shell vmcore       asks such questions one after the other
          netdump bt vmcore          prints the stack of the task that panicked
          netdump ps vmcore          lists its tasks, and what the blocked ones wait for
          netdump filter vmcore small  writes it anew without free pages, cache and data of processes
        """;

    private const string HeapLimit = "GCHeapHardLimit";
    private const string HeapLimitVariable = "DOTNET_" + HeapLimit;
    private const long SmallestHeap = 24 << 20; // with less the runtime does not run out of memory, it crashes (large objects, .NET 10)

    /// <summary>Runs the command line; the exit code is 0, 1 for a failure or 2 for wrong usage.</summary>
    public static int Run(string[] args)
    {
        if (GC.GetConfigurationVariables().GetValueOrDefault(HeapLimit) is > 0L and < SmallestHeap)
        {
            Console.Error.WriteLine($"netdump: {HeapLimitVariable} allows less than the {SmallestHeap >> 20} MiB that the runtime itself needs: raise it (bytes in hexadecimal), or leave it out");
            return 1;
        }
        var root = new RootCommand(Description)
        {
            PropagateCommand.Create(), StartCommand.Create(), StopCommand.Create(), StartCommand.CreateRestart(), StatusCommand.Create(), WatchCommand.Create(), TestCommand.Create(), SpoolCommand.Create(),
            SendCommand.Create(), KeygenCommand.Create(), FilterCommand.Create(), ReportCommand.Create(), AnalyseCommand.Create(), InfoCommand.Create(), DmesgCommand.Create(),
            PsCommand.Create(), BtCommand.Create(), RunqCommand.Create(), SymCommand.Create(), ModCommand.Create(), StructCommand.Create(), ReadCommand.Create(), KmemCommand.Create(),
            MountCommand.Create(), NetCommand.Create(), IrqCommand.Create(), ShellCommand.Create(),
        };
        CommandWithExamples.ShowExamples(root);
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            // With a wrong word the first error says that a command is missing, the last which word is wrong.
            Console.Error.WriteLine($"netdump: {parsed.Errors[^1].Message.ReplaceLineEndings(" ")} See netdump --help.");
            return 2;
        }
        return Guard(() => parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false }));
    }

    /// <summary>Turns a failure into one line on the error output and exit code 1.</summary>
    internal static int Guard(Func<int> run)
    {
        try
        {
            return run();
        }
        catch (ClientException e) when (e.Check is not null)
        {
            Console.Error.WriteLine(e.Check);
            return 1;
        }
        catch (Exception e) when (e is ClientException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"netdump: {e.Message.ReplaceLineEndings(" ")}");
            return 1;
        }
        catch (OutOfMemoryException)
        {
            Console.Error.WriteLine(
                GC.GetConfigurationVariables().GetValueOrDefault(HeapLimit) is > 0L and var limit
                    ? $"netdump: this needs more memory than the {limit >> 20} MiB that {HeapLimitVariable} allows: raise it (bytes in hexadecimal), or leave it out"
                    : "netdump: there is not enough memory: end what else needs it, or raise the limit (ulimit -a shows those in force)");
            return 1;
        }
        catch (Exception e)
        {
            Console.Error.WriteLine($"netdump: a mistake in netdump itself, please report it: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
            return 1;
        }
    }

    /// <summary>Refuses to go on without root's rights.</summary>
    /// <exception cref="ClientException">The process is not root's.</exception>
    internal static void RequireRoot(string command)
    {
        if (!Environment.IsPrivilegedProcess) throw new ClientException($"netdump {command} needs root", $"run sudo netdump {command}");
    }

    /// <summary>How long a command waits for another one, or for a look of <c>watch</c>, to end.</summary>
    internal static TimeSpan LockLimit { get; } = TimeSpan.FromSeconds(30);

    /// <summary>The host this program runs on.</summary>
    internal static HostFiles ThisHost { get; } = new();
}
