using Netdump.Client.Commands;

namespace Netdump.Client.Tests.Commands;

/// <summary>Runs the program within the test, and what it says. Only for tests that take turns at the console.</summary>
internal static class CapturedRun
{
    public static (int Exit, string Output, string Error) Run(params string[] args)
    {
        (TextWriter output, TextWriter error) = (Console.Out, Console.Error);
        using StringWriter said = new(), complained = new();
        Console.SetOut(said);
        Console.SetError(complained);
        try
        {
            return (RootProgram.Run(args), said.ToString(), complained.ToString());
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(error);
        }
    }
}
