using Netdump.Kernel.Incidents;

namespace Netdump.Kernel.Tests.Incidents;

public class LogAndMemoryTests
{
    public static TheoryData<string> Dumps => [Crashes.Linux61, Crashes.Linux61FourLevel, Crashes.Linux73, Crashes.Arm64];

    [Theory]
    [MemberData(nameof(Dumps))]
    public void Item55_log_and_memory_give_one_signature(string path)
    {
        CrashedKernel kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        CrashSignature? logged = LogAnalysis.Of(ConsoleLine.Of(dump.OpenLog().Records())).Signature;
        Assert.NotNull(logged);
        var stack = kernel.Unwinder!.OfProcessor((kernel.Facts.Panic.CrashingProcessor ?? kernel.Facts.Panic.Processor)!.Value);
        var walked = CrashSignature.Of(logged.Class, SignatureFrames.Of(logged.Class, SignatureTrace.Of(kernel, stack)), title: logged.Title);
        Assert.Equal((logged.Key, logged.Id), (walked.Key, walked.Id));
        Assert.Equal("c387c617f6670a05", walked.Id);
    }

    [Theory]
    [InlineData(CrashClass.NullDereference, "mod!faulty", "fault!second")] // an exception inside the module, its handling dropped
    [InlineData(CrashClass.Sysrq, "helper_of_panic", "mod!faulty")] // no exception counts: from the panic on
    public void Item48_the_innermost_registers_of_an_exception_are_the_context_that_failed(string word, string first, string second)
    {
        SignatureFrame[] walk =
        [
            new("panic", null, true), new("helper_of_panic", null, true), new("asm_exc_page_fault", null, true), new("faulty", "mod", true, true),
            new("second", "fault", true), new("asm_sysvec_apic_timer_interrupt", null, true), new("interrupted", null, true, true),
        ];
        IReadOnlyList<string> frames = SignatureFrames.Of(word, word == CrashClass.Sysrq ? walk.Where(f => f.Name[0] != 'a') : walk);
        Assert.Equal([first, second], frames.Take(2));
    }
}
