using Netdump.Kernel.Incidents;
using Netdump.Kernel.Tasks;
using Netdump.Kernel.Unwind;

namespace Netdump.Kernel.Report;

/// <summary>What is known of a crash's cause, from memory and log together: the verdict and the findings are made of it.</summary>
internal sealed record CrashFacts
{
    /// <summary>The signature, its class and title in it.</summary>
    public required CrashSignature Signature { get; init; }

    /// <summary>The class: a word of <see cref="CrashClass"/>.</summary>
    public string Class => Signature.Class;

    /// <summary>Whether the kernel panicked or oopsed at all: a dump of a living machine has no crash.</summary>
    public bool HasCrashed { get; init; } = true;

    /// <summary>The incident of the log that is the cause; null when the log has none.</summary>
    public Incident? Incident { get; init; }

    /// <summary>The CPU that crashed.</summary>
    public int? Cpu { get; init; }

    /// <summary>The task on it.</summary>
    public KernelTask? Task { get; init; }

    /// <summary>Its stack, the way of the panic included; null when it cannot be walked.</summary>
    public KernelStack? Stack { get; init; }

    /// <summary>Index in it of the frame that is to blame.</summary>
    public int BlamedFrame { get; init; }

    /// <summary>Of a hang: the stack of the task that the others wait for, or of the one that waits; null when the crashing CPU's is to blame.</summary>
    public KernelStack? CulpritStack { get; init; }

    /// <summary>The address that could not be used.</summary>
    public ulong? FaultAddress { get; init; }

    /// <summary><c>read</c>, <c>write</c> or <c>execute</c>.</summary>
    public string? Access { get; init; }

    /// <summary>What the address is, as a finding's id and words.</summary>
    public (string Id, string Words)? Address { get; init; }

    /// <summary>The system call the task was in.</summary>
    public ReportSyscall? Syscall { get; init; }

    /// <summary>Of a hang: the task at the root of what the others wait for.</summary>
    public LockChain? Chain { get; init; }

    /// <summary>Of a hang without a known holder: the tasks the kernel named.</summary>
    public TaskWait? Hung { get; init; }

    /// <summary>Of exhausted memory: who holds most of it, in words, with bytes.</summary>
    public (string Who, long Bytes)? Consumer { get; init; }

    /// <summary>Tasks in uninterruptible sleep.</summary>
    public int Blocked { get; init; }
}
