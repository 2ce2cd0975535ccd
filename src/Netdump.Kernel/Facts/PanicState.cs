using Netdump.Kernel.Types;

namespace Netdump.Kernel.Facts;

/// <summary>How the kernel came to panic, and what it is set to panic on. Null is not known.</summary>
/// <param name="Processor">The processor that panicked; null when none had.</param>
/// <param name="CrashingProcessor">The processor that went over to the crash kernel (x86_64).</param>
/// <param name="OnOops">panic_on_oops.</param>
/// <param name="OnWarning">panic_on_warn.</param>
/// <param name="Timeout">panic_timeout: seconds until the reboot, 0 is never, below 0 at once.</param>
/// <param name="OopsInProgress">Whether an oops was being printed.</param>
/// <param name="Oopses">How often the kernel died before (die_counter).</param>
/// <param name="SystemState">The system's state by its name: <c>SYSTEM_RUNNING</c>.</param>
public sealed record PanicState(
    int? Processor, int? CrashingProcessor, bool? OnOops, bool? OnWarning, int? Timeout, bool? OopsInProgress, int? Oopses, string? SystemState)
{
    internal static PanicState Read(CrashedKernel kernel)
    {
        var state = kernel.ReadInt("system_state");
        return new PanicState(
            Known(kernel.ReadInt("panic_cpu")), Known(kernel.ReadInt("crashing_cpu")), kernel.ReadInt("panic_on_oops") is { } oops ? oops != 0 : null,
            kernel.ReadInt("panic_on_warn") is { } warn ? warn != 0 : null, kernel.ReadInt("panic_timeout"),
            kernel.ReadInt("oops_in_progress") is { } now ? now != 0 : null, kernel.ReadInt("die_counter"),
            state is { } value ? kernel.Types?.EnumName(kernel.Types.Find("system_states", TypeKind.Enum), value) : null);
    }

    private static int? Known(int? processor) => processor is >= 0 and < 8192 ? processor : null;
}
