using Netdump.Client.Shell;
using Netdump.Kernel;
using Netdump.Vmcore;
using Netdump.Vmcore.Tests;

namespace Netdump.Client.Tests.Shell;

/// <summary>The parts of <c>netdump shell</c> (checklist item 32 of those who read dumps).</summary>
[Collection("console")] // its tests take the output of the process
public sealed class ShellTests : IDisposable
{
    private static readonly string[] Commands = ["dmesg", "mod", "struct", "sym"];
    private readonly string _directory = Directory.CreateTempSubdirectory().FullName;

    [Theory]
    [InlineData("", 0)]
    [InlineData("  # a comment", 0)]
    [InlineData("q", 1)]
    [InlineData(" exit ", 1)]
    [InlineData("help", 2)]
    [InlineData("help nonsense", 2)]
    [InlineData("help sym", 3)]
    [InlineData("dmesg", 3)]
    [InlineData("dmesg|less", 3)]
    [InlineData("!date", 3)]
    [InlineData("dmseg", 4)]
    public void User32_a_line_is_a_request(string line, int request) => Assert.Equal((ShellRequest)request, ShellLine.Parse(line, Commands).Request);

    [Fact]
    public void User32_the_dump_stands_behind_the_command_and_the_rest_is_the_shells()
    {
        Assert.EndsWith("\"$NETDUMP_SHELL_PROGRAM\" dmesg \"$NETDUMP_SHELL_DUMP\" -x | less", ShellLine.Parse("dmesg -x | less", Commands).Script, StringComparison.Ordinal);
        Assert.Equal("ls -l", ShellLine.Parse("! ls -l", Commands).Script);
    }

    [Fact]
    public void User32_batch_runs_pipes_and_redirections_and_fails_when_one_did()
    {
        // A program in place of netdump that says what it was given, and fails for sym.
        string program = Path.Combine(_directory, "program");
        File.WriteAllText(program, "#!/bin/sh\necho \"$@\"\n[ \"$1\" != sym ]\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        ShellSession session = new(program, "/a dump", Commands);
        string written = Path.Combine(_directory, "written");
        Assert.Equal(0, session.RunAll(new StringReader($"dmesg -x > '{written}'\n\n# comment\nmod | tr a-z A-Z >> '{written}'\n!echo own >> '{written}'\nq\nsym x\n")));
        Assert.Equal("dmesg /a dump -x\nMOD /A DUMP\nown\n", File.ReadAllText(written));
        Assert.Equal(1, session.RunAll(new StringReader($"sym 'a*' > '{written}'\nmod > '{written}.2'\n")));
        Assert.Equal("sym /a dump a*\n", File.ReadAllText(written));
        Assert.True(File.Exists($"{written}.2"));
        (TextWriter error, StringWriter complained) = (Console.Error, new StringWriter());
        Console.SetError(complained);
        Assert.Equal(2, session.Run("nonsense"));
        Console.SetError(error);
        Assert.Contains("no command 'nonsense'", complained.ToString(), StringComparison.Ordinal);
        Assert.Null(session.Run("quit"));
    }

    [Fact]
    public void User32_tab_completes_commands_options_symbols_types_and_modules()
    {
        using VmcoreFile dump = VmcoreFile.Open(SharedData.File("linux-6.1-sysrq-4level", "vmcore.kdump"));
        ShellCompletion completion = new(
            new Dictionary<string, IReadOnlyList<string>> { ["sym"] = ["--grep", "--module"], ["struct"] = ["--offsets"], ["status"] = [] }, () => new CrashedKernel(dump));
        Assert.Equal(["status", "struct"], completion.Complete("st", out int start));
        Assert.Equal(0, start);
        Assert.Equal(["--grep"], completion.Complete("sym --g", out start));
        Assert.Equal(4, start);
        Assert.Equal(["sysrq_handle_crash"], completion.Complete("sym sysrq_handle_cr", out _));
        Assert.Equal(["task_struct", "task_struct_cachep"], completion.Complete("struct task_struc", out _)); // a type and a symbol
        Assert.Equal(["netconsole"], completion.Complete("sym --module netc", out _));
        Assert.Equal([], completion.Complete("sym x > fi", out _));
    }

    [Fact]
    public void User32_keys_move_delete_and_bring_older_lines_back()
    {
        LineBuffer line = new(["first", "second"]);
        line.Insert("typing");
        Assert.True(line.Do(Key(ConsoleKey.UpArrow)));
        Assert.Equal("second", line.Text);
        line.Do(Key(ConsoleKey.UpArrow));
        line.Do(Key(ConsoleKey.UpArrow));
        Assert.Equal("first", line.Text);
        line.Do(Key(ConsoleKey.DownArrow));
        line.Do(Key(ConsoleKey.DownArrow));
        Assert.Equal(("typing", 6), (line.Text, line.Cursor));
        line.Do(Key(ConsoleKey.Home));
        line.Do(Key(ConsoleKey.Delete));
        line.Insert("T");
        line.Do(Key(ConsoleKey.E, control: true));
        line.Do(Key(ConsoleKey.Backspace));
        Assert.Equal("Typin", line.Text);
        line.Insert(" more words");
        line.Do(Key(ConsoleKey.W, control: true));
        Assert.Equal("Typin more ", line.Text);
        line.Do(Key(ConsoleKey.A, control: true));
        line.Do(Key(ConsoleKey.RightArrow));
        line.Do(Key(ConsoleKey.K, control: true));
        Assert.Equal("T", line.Text);
        line.Do(Key(ConsoleKey.U, control: true));
        Assert.Equal("", line.Text);
        Assert.False(line.Do(Key(ConsoleKey.X)));
    }

    [Fact]
    public void User32_history_survives_a_session()
    {
        string path = Path.Combine(_directory, "state", "history");
        ShellHistory history = new(path);
        history.Add("sym a");
        history.Add("sym a");
        history.Add(" ");
        history.Add("mod");
        history.Save();
        Assert.Equal(["sym a", "mod"], new ShellHistory(path).Lines);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static ConsoleKeyInfo Key(ConsoleKey key, bool control = false) => new('\0', key, shift: false, alt: false, control);
}
