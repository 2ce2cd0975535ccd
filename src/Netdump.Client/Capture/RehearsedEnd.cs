using System.Runtime.InteropServices;
using Netdump.Client.Linux;

namespace Netdump.Client.Capture;

/// <summary>Does to this process what a <see cref="Rehearsal"/> asks for.</summary>
internal static class RehearsedEnd
{
    private const int Block = 1 << 20;

    /// <summary>Does not return.</summary>
    public static void Happen(RehearsedFailure failure, CaptureConsole console)
    {
        console.Say($"rehearsal: {failure switch
        {
            RehearsedFailure.Kill => "this process kills itself",
            RehearsedFailure.Memory => "this process takes all memory",
            _ => "this process hangs",
        }}");
        if (failure == RehearsedFailure.Kill) Processes.Signal(Environment.ProcessId, Processes.Kill);
        while (failure == RehearsedFailure.Memory) TakeMemory();
        while (true) Descriptors.Pause(TimeSpan.FromMinutes(1));
    }

    private static unsafe void TakeMemory()
    {
        // Touched, so that the kernel has to give it; never freed.
        byte* block = (byte*)NativeMemory.Alloc(Block);
        new Span<byte>(block, Block).Fill(0x5a);
    }
}
