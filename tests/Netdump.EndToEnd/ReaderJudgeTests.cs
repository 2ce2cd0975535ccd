using Netdump.Vmcore.Tests;

namespace Netdump.EndToEnd;

/// <summary>Issue 5, proofs 2 and 4: crash, drgn, gdb and makedumpfile on what `netdump filter` writes, and on the log.</summary>
public sealed class ReaderJudgeTests(CrashedGuests guests) : IDisposable
{
    // Tasks, the stack of the one that crashed, the log.
    private const string DrgnScript = """
        import sys
        from drgn.helpers.linux.pid import for_each_task
        from drgn.helpers.linux.printk import get_dmesg
        for task in sorted(for_each_task(prog), key=lambda task: task.pid.value_()):
            print(task.pid.value_(), task.comm.string_().decode(), hex(task.value_()), hex(task.stack.value_()))
        print(prog.crashed_thread().stack_trace())
        sys.stdout.write(get_dmesg(prog).decode(errors="backslashreplace"))
        """;

    private readonly string _scratch = Workspace.Scratch("ReaderJudge");

    [Theory]
    [InlineData("6.1", "kdump", "zlib")]
    [InlineData("6.1", "kdump", "zstd")]
    [InlineData("6.1", "elf", "none")]
    [InlineData("6.1", "flattened", "zstd")]
    [InlineData("6.12", "kdump", "zstd")]
    [InlineData("6.12", "elf", "none")]
    public void Proof2_a_filtered_dump_tells_crash_and_drgn_what_the_whole_one_does(string series, string format, string codec)
    {
        CrashedGuest guest = guests.Of(series);
        string output = Path.Combine(_scratch, "out");
        if (format == "flattened") Command.Succeed("sh", "-c", $"{Workspace.Client} filter --compress {codec} {guest.Vmcore} - | {Judges.Makedumpfile} -R {output}");
        else Command.Succeed(Workspace.Client, "filter", "--format", format, "--compress", codec, guest.Vmcore, output);
        Assert.InRange(new FileInfo(output).Length, 1 << 20, new FileInfo(guest.Vmcore).Length / 2);

        string expected = guests.Remember($"{series} crash", () => Crash(guest.Kernel, guest.Vmcore));
        Assert.Contains("sysrq_handle_crash", expected, StringComparison.Ordinal);
        Assert.Contains("[kthreadd]", expected, StringComparison.Ordinal);
        Assert.Equal(expected, Crash(guest.Kernel, output));
        expected = guests.Remember($"{series} drgn", () => Drgn(guest.Kernel, guest.Vmcore));
        Assert.Contains("kthreadd", expected, StringComparison.Ordinal);
        Assert.Contains("Kernel panic - not syncing: sysrq triggered crash", expected, StringComparison.Ordinal);
        Assert.Equal(expected, Drgn(guest.Kernel, output));
    }

    [Fact]
    public void Proof2_gdb_with_vmlinux_goes_from_the_crash_to_the_system_call()
    {
        // gdb begins with the first processor, and any of the two may have crashed.
        CrashedGuest guest = guests.Fixed61;
        string output = Path.Combine(_scratch, "out");
        Command.Succeed(Workspace.Client, "filter", "--format", "elf", guest.Vmcore, output);
        string said = Command.Succeed("gdb", "-nx", "-batch", "-ex", "thread apply all bt", "-ex", "info threads", guest.Kernel.VmlinuxWithSymbols, output);
        Assert.Matches(@"#\d+ .* in sysrq_handle_crash \(", said);
        Assert.Matches(@"#\d+ .* in entry_SYSCALL_64 \(", said);
        Assert.Contains("\n  2 ", said, StringComparison.Ordinal);         // a thread for each of the two CPUs,
        Assert.DoesNotContain("\n  3 ", said, StringComparison.Ordinal);   // and none twice
    }

    [Theory]
    [InlineData("6.1")]
    [InlineData("6.12")]
    public void Proof4_the_log_is_makedumpfiles_and_crashs_line_for_line(string series)
    {
        CrashedGuest guest = guests.Of(series);
        string theirs = Path.Combine(_scratch, "theirs"), ours = Path.Combine(_scratch, "ours");
        Command.Succeed(Judges.Makedumpfile, "--dump-dmesg", guest.Vmcore, theirs);
        Command.Succeed("sh", "-c", $"{Workspace.Client} dmesg --format makedumpfile {guest.Vmcore} > {ours}");
        Assert.Contains(@"\xffffffe2", File.ReadAllText(ours), StringComparison.Ordinal); // the euro sign of the guest's notice
        Assert.Equal(File.ReadAllLines(theirs), File.ReadAllLines(ours));
        Assert.True(File.ReadAllBytes(theirs).AsSpan().SequenceEqual(File.ReadAllBytes(ours)));

        Command.Succeed("sh", "-c", $"{Workspace.Client} dmesg --format crash {guest.Vmcore} > {ours}");
        Assert.Equal(CrashUtility.Run(guest.Kernel, guest.Vmcore, "log").TrimEnd('\n').Split('\n'), File.ReadAllLines(ours));
    }

    public void Dispose() => Directory.Delete(_scratch, recursive: true);

    private static string Crash(TestKernel kernel, string dump) => CrashUtility.Run(kernel, dump, "bt", "ps", "log");

    private string Drgn(TestKernel kernel, string dump)
    {
        string script = Path.Combine(_scratch, "tell.py");
        File.WriteAllText(script, DrgnScript);
        return Command.Succeed(Judges.Drgn, "-q", "-c", dump, "-s", kernel.VmlinuxWithSymbols, script);
    }
}
