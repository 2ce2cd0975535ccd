using System.Text;
using Netdump.Vmcore.Tests.Log;

namespace Netdump.Vmcore.Tests;

/// <summary>A whole small dump: registers of two CPUs, VMCOREINFO, page tables, a log, and memory with a hole.</summary>
internal static class SyntheticDump
{
    /// <summary>Physical address of the memory that holds the log ring.</summary>
    public const int RingAt = 0x40000;

    /// <summary>The task that ran on the second CPU, in kernel mode; the first was in user mode.</summary>
    public const int PanickingPid = 77;

    /// <summary>Makes the file's bytes.</summary>
    public static byte[] Make(params string[] log) => Core(packed: false, log).Build();

    /// <summary>The core, to be given more memory or another layout.</summary>
    public static SyntheticCore Core(bool packed, params string[] log)
    {
        var ring = new SyntheticRing(countBits: 8, sizeBits: 14);
        for (var i = 0; i < log.Length; i++)
            ring.Write((ulong)i + 1, log[i]);
        var kernel = new SyntheticKernel(pages: 64 + 128);
        ring.Memory.CopyTo(kernel.Memory, RingAt);
        for (var page = 0UL; page < 128; page++)
            kernel.Map(page << 12, RingAt + (page << 12));
        var core = new SyntheticCore { Packed = packed };
        core.AddNote("CORE", 1, SyntheticCore.Status(5, codeSegment: 0x33));
        core.AddNote("CORE", 1, SyntheticCore.Status(PanickingPid));
        core.AddNote("VMCOREINFO", 0, Encoding.ASCII.GetBytes(kernel.InfoText + ring.Keys));
        core.AddMemory(0, kernel.Memory);
        return core;
    }
}
