using System.Text.Json;
using CsCheck;
using Netdump.Kernel.Unwind;
using Netdump.Vmcore;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Unwind;

/// <summary>Real dumps, some of them changed or with pages taken out.</summary>
public class UnwinderTests
{
    [Fact]
    public void Item21_the_caller_of_crash_kexec_is_found_and_marked_as_recovered()
    {
        var kernel = Crashes.Open(Crashes.Linux61);
        using var dump = kernel.Dump;
        var stack = kernel.Unwinder!.OfProcessor(PanickingCpu(kernel));
        Assert.Equal((FrameKind.Registers, FrameKind.Recovered), (stack.Frames[0].Kind, stack.Frames[1].Kind));
        Assert.StartsWith("__crash_kexec+", kernel.Symbols!.Render(stack.Frames[0].Pc, false), StringComparison.Ordinal);
        Assert.StartsWith("panic+", kernel.Symbols!.Render(stack.Frames[1].Pc, true), StringComparison.Ordinal);
    }

    [Fact]
    public void Item22_without_tables_a_search_finds_nearly_all_frames_as_guesses()
    {
        var kernel = Crashes.Open(Crashes.Linux61);
        using var dump = kernel.Dump;
        var symbols = kernel.Symbols!;
        var code = new KernelCode(a => symbols.IsText(a), a => symbols.TryResolve(a, out var m) ? new CodeFunction(m.Start, m.Start + m.Size, m.Name) : null);
        var bare = new X64Kernel(new CachedMemory(kernel.Memory.Read), code, Orc: null, UsesFramePointers: false, AddsBeforeIndirection: false);
        var (frames, found) = (0, 0);
        foreach (var task in GoldenTask.Read("linux-6.1-sysrq"))
        {
            if (task.State == "Z" || kernel.Unwinder!.Processors.OfTask(task.Address) is not null)
                continue;
            var types = kernel.Types!;
            var stack = types.At("task_struct", task.Address)["stack"].Unsigned!.Value;
            var areas = new StackAreas([new StackArea(stack, stack + kernel.Unwinder.StackSize, "TASK")], isComplete: true);
            var walk = X64Walk.FromSwitch(bare, areas, types.At("task_struct", task.Address)["thread.sp"].Unsigned!.Value, _ => false, null);
            Assert.Contains("unwind tables", walk.Stopped!, StringComparison.Ordinal);
            Assert.All(walk.Frames.Skip(1), f => Assert.True(f is { Kind: FrameKind.Guess, IsReliable: false }));
            var pcs = walk.Frames.Select(f => f.Pc).ToHashSet();
            foreach (var pc in task.Pcs.Where(p => p >> 63 != 0))
            {
                frames++;
                found += pcs.Contains(pc) ? 1 : 0;
            }
        }
        Assert.InRange(found, frames * 95 / 100, frames);
        Assert.InRange(frames, 300, 335);
    }

    [Fact]
    public void Item25_every_process_has_its_user_registers_and_kernel_threads_have_none()
    {
        var kernel = Crashes.Open(Crashes.Linux73);
        using var dump = kernel.Dump;
        var (users, threads) = (0, 0);
        foreach (var task in kernel.Tasks.All)
        {
            var registers = kernel.Unwinder!.UserRegistersOf(task.Address);
            if (task.IsKernelThread)
            {
                threads++;
                Assert.Null(registers);
            }
            else if (!task.IsDead)
            {
                users++;
                Assert.True(registers!.IsUser);
                Assert.Equal(FrameKind.User, kernel.Unwinder.Of(task.Address).Frames[^1].Kind);
            }
        }
        Assert.Equal((29, 86), (users, threads));
    }

    [Fact]
    public void Item26_a_zombie_has_no_stack_and_a_reason()
    {
        var kernel = Crashes.Open(Crashes.Linux73);
        using var dump = kernel.Dump;
        var zombie = kernel.Tasks.All.Single(t => t.State == 'Z');
        var stack = kernel.Unwinder!.Of(zombie.Address);
        Assert.Empty(stack.Frames);
        Assert.Equal("the task has exited: its stack is freed", stack.Stopped);
    }

    /// <summary>The dump's note of a CPU is that of the process it ran, and the one that the kernel kept in memory (crash_notes) says the same.</summary>
    [Fact]
    public void Item46_notes_of_processors_are_matched_by_process_and_equal_those_in_memory()
    {
        var kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        Assert.True(kernel.Memory.TryReadUInt64(Address(kernel, "crash_notes"), out var notes));
        Assert.Equal(2, kernel.Unwinder!.Processors.Numbers.Count);
        foreach (var cpu in kernel.Unwinder.Processors.Numbers)
        {
            var note = dump.Processors.Single(n => n.Pid == kernel.Tasks.CurrentOf(cpu)!.Pid);
            var registers = kernel.Unwinder.Processors.RegistersOf(cpu)!;
            Assert.Equal((note.InstructionPointer, note.StackPointer), (registers.Pc, registers.Sp));
            // Header of 12 bytes, name of 8, then elf_prstatus, in which the registers begin at 112.
            var inMemory = new byte[27 * 8];
            Assert.True(kernel.Memory.TryRead(kernel.Symbols!.OnProcessor(notes, cpu) + 20 + 112, inMemory));
            Assert.Equal(note.Registers.Span[..inMemory.Length].ToArray(), inMemory);
        }
    }

    [Fact]
    public void Item27_a_processor_in_user_mode_has_no_frames_of_the_kernel()
    {
        var kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        var stack = kernel.Unwinder!.OfProcessor(0);
        Assert.Equal((FrameKind.User, 0x401158UL), (Assert.Single(stack.Frames).Kind, stack.Frames[0].Pc));
        Assert.Null(stack.Stopped);
    }

    [Fact]
    public void Item28_a_softirq_on_the_interrupt_stack_and_what_it_interrupted_are_one_stack()
    {
        var kernel = Crashes.Open(Crashes.Arm64);
        using var dump = kernel.Dump;
        var marks = kernel.Unwinder!.OfProcessor(0).Frames.Select(f => f.Stack).ToList();
        Assert.Equal("IRQ", marks[0]);
        Assert.Equal("TASK", marks[^1]);
        Assert.Equal(marks.FindIndex(m => m == "TASK"), marks.FindLastIndex(m => m == "IRQ") + 1);
    }

    [Fact]
    public void Item29_a_stack_that_is_not_in_the_dump_is_said_and_others_are_whole()
    {
        using var dump = VmcoreFile.Open(Crashes.Linux61FourLevel);
        var tasks = GoldenTask.Read("linux-6.1-sysrq-4level");
        var patched = new PatchedMemory(dump);
        var types = new CrashedKernel(dump).Types!;
        var gone = tasks.First(t => t.Pid == 2);
        patched.Remove(types.At("task_struct", gone.Address)["thread.sp"].Unsigned!.Value);
        var kernel = new CrashedKernel(dump, patched.Memory);
        Assert.Contains("is not in the dump", kernel.Unwinder!.Of(gone.Address).Stopped!, StringComparison.Ordinal);
        Assert.Equal(tasks.First(t => t.Pid == 3).Pcs, kernel.Unwinder.Of(tasks.First(t => t.Pid == 3).Address).Frames.Select(f => f.Pc));
    }

    [Fact]
    public void Recovered_registers_are_those_that_debugging_information_gives()
    {
        var kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        using var file = JsonDocument.Parse(File.ReadAllBytes(SharedData.File("linux-6.1-sysrq-4level", "tasks.json")));
        var theirs = file.RootElement.GetProperty("panic").GetProperty("registers");
        var ours = kernel.Unwinder!.Processors.RegistersOf(PanickingCpu(kernel))!;
        foreach (var register in (ReadOnlySpan<string>)["rip", "rsp", "rbp", "rbx", "r13", "r14"])
            Assert.Equal(theirs.GetProperty(register).GetString(), $"0x{ours[register]:x}");
    }

    [Fact]
    public void Whatever_a_stack_and_the_tables_hold_a_walk_ends_and_stays_within_its_bounds() =>
        (from words in Gen.ULong.Array[64]
         from picks in Gen.Int[0, 40].Array[64]
         from bits in Gen.UShort.Array[16]
         from offsets in Gen.Short[-64, 256].Array[16]
         from version in Gen.Int[1, 4]
         from start in Gen.Int[0, 63]
         select (words, picks, bits, offsets, version, start)).Sample(c =>
        {
            var made = new SyntheticStack();
            for (var i = 0; i < 64; i++)
            {
                // Mostly words that lead somewhere: code, the stack, the other stack.
                var word = c.picks[i] switch
                {
                    < 16 => SyntheticStack.Function(c.picks[i]) + 5,
                    < 24 => SyntheticStack.Stack + c.words[i] % 512,
                    < 28 => SyntheticStack.IrqStack + c.words[i] % 512,
                    < 32 => 0x10UL,
                    _ => c.words[i],
                };
                made.Write(SyntheticStack.Stack + (ulong)i * 8, word);
                made.Write(SyntheticStack.IrqStack + (ulong)(63 - i) * 8, word);
            }
            for (var n = 0; n < 16; n++)
                made.OrcRaw(n, c.offsets[n], c.offsets[15 - n], c.bits[n]);
            var stack = X64Walk.From(made.Open((OrcVersion)c.version), SyntheticStack.Areas(), SyntheticStack.Start(SyntheticStack.Function(c.start % 16) + 1, SyntheticStack.Stack + (ulong)c.start * 8 + 8));
            return stack.Frames.Count is > 0 and <= 501;
        });

    private static int PanickingCpu(CrashedKernel kernel) => kernel.Facts.Panic.CrashingProcessor!.Value;

    private static ulong Address(CrashedKernel kernel, string symbol) => kernel.TryFind(symbol, out var address) ? address : throw new InvalidOperationException(symbol);
}
