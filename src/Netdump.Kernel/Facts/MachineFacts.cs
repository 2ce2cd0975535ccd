using System.Text;

namespace Netdump.Kernel.Facts;

/// <summary>
/// What the machine and its kernel were like when they died, out of memory alone. Each fact is read when it is asked for; null or empty is one
/// that the dump does not have.
/// </summary>
public sealed class MachineFacts
{
    private readonly CrashedKernel _kernel;

    internal MachineFacts(CrashedKernel kernel) => _kernel = kernel;

    /// <summary>Kernel, host and machine as uname -a names them.</summary>
    public UtsNames Uts => field ??= UtsNames.Read(_kernel);

    /// <summary>The first line of the kernel's log: version, compiler, build.</summary>
    public string? Banner => _kernel.TryFind("linux_banner", out var at) && _kernel.Memory.TryReadText(at, 512, out var text)
        ? Encoding.UTF8.GetString(text).TrimEnd('\n')
        : null;

    /// <summary>The kernel's command line.</summary>
    public string? CommandLine => _kernel.ReadLong("saved_command_line") is { } at && at != 0 && _kernel.Memory.TryReadText(at, 4096, out var text)
        ? Encoding.UTF8.GetString(text).TrimEnd()
        : null;

    /// <summary>What tainted the kernel; null when that is not known.</summary>
    public Taint? Taint => _taint ??= Facts.Taint.Read(_kernel);

    /// <summary>Times.</summary>
    public KernelClock Clock => field ??= KernelClock.Read(_kernel);

    /// <summary>Load over 1, 5 and 15 minutes; null when it is not known.</summary>
    public IReadOnlyList<double>? Load => _load ??= ReadLoad();

    /// <summary>Processors and the machine around them.</summary>
    public Hardware Hardware => field ??= Hardware.Read(_kernel);

    /// <summary>The id of this boot, as journald and /proc/sys/kernel/random/boot_id have it; null when nobody had asked for it since boot.</summary>
    public Guid? BootId => ReadBootId();

    /// <summary>Bytes set aside for the crash kernel; 0 when there are none, null when that is not known.</summary>
    public ulong? CrashKernelBytes => _kernel.Variable("crashk_res", "resource") is { Exists: true } range
        && range["start"].Unsigned is { } start && range["end"].Unsigned is { } end
            ? end > start ? end - start + 1 : 0
            : null;

    /// <summary>How the kernel came to panic, and what it is set to panic on.</summary>
    public PanicState Panic => field ??= PanicState.Read(_kernel);

    /// <summary>Memory: counters and zones.</summary>
    public MemoryFacts Memory => field ??= MemoryFacts.Read(_kernel);

    /// <summary>Mounts of the first process's namespace, in the kernel's order.</summary>
    public IReadOnlyList<Mount> Mounts => field ??= Mount.ReadAll(_kernel);

    /// <summary>Network devices of the first namespace.</summary>
    public IReadOnlyList<NetDevice> NetDevices => field ??= NetDevice.ReadAll(_kernel);

    /// <summary>Interrupts that have a descriptor, in the order of their numbers.</summary>
    public IReadOnlyList<Interrupt> Interrupts => field ??= Interrupt.ReadAll(_kernel);

    /// <summary>Caches of the slab allocator, newest first, as the kernel has them.</summary>
    public IReadOnlyList<SlabCache> SlabCaches => field ??= SlabCache.ReadAll(_kernel);

    /// <summary>BPF programs that are loaded.</summary>
    public IReadOnlyList<BpfProgram> BpfPrograms => field ??= BpfProgram.ReadAll(_kernel);

    private Taint? _taint;
    private IReadOnlyList<double>? _load;

    private double[]? ReadLoad()
    {
        if (!_kernel.TryFind("avenrun", out var at))
            return null;
        var load = new double[3];
        for (var i = 0; i < load.Length; i++)
        {
            if (!_kernel.Memory.TryReadUInt64(at + (ulong)i * 8, out var fixedPoint))
                return null;
            load[i] = fixedPoint / 2048.0; // FSHIFT is 11
        }
        return load;
    }

    private Guid? ReadBootId()
    {
        Span<byte> bytes = stackalloc byte[16];
        return _kernel.TryFind("sysctl_bootid", out var at) && _kernel.Memory.TryRead(at, bytes) && bytes.ContainsAnyExcept((byte)0)
            ? new Guid(bytes, bigEndian: true)
            : null;
    }
}
