using System.Collections.Concurrent;
using Netdump.EndToEnd;
using Netdump.Vmcore;

[assembly: AssemblyFixture(typeof(CrashedGuests))]

namespace Netdump.EndToEnd;

/// <summary>A guest that crashed, and what its server has of it.</summary>
/// <param name="Kernel">Its kernel.</param>
/// <param name="Console">What its serial line showed, both kernels.</param>
/// <param name="Crash">The server's directory of the crash.</param>
public sealed record CrashedGuest(TestKernel Kernel, string Console, string Crash)
{
    /// <summary>The dump.</summary>
    public string Vmcore => Path.Combine(Crash, "vmcore");

    /// <summary>The dead kernel's log.</summary>
    public string Log => Path.Combine(Crash, "log");

    /// <summary>The module that crashed it, with its debug information; absent if the crash needed none.</summary>
    public string Module => Path.Combine(Crash, "..", "..", Guest.ModuleName);
}

/// <summary>
/// Guests whose crash more than one test looks at: each is booted when it is first asked for, and its dump kept until the run ends; longer
/// in the folder that NETDUMP_KEPT_GUESTS names, from which the next run takes it without booting.
/// </summary>
public sealed class CrashedGuests : IDisposable
{
    // Two at a time on two processors, beside a test: a guest alone takes half a minute.
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    private static readonly string? Kept = Environment.GetEnvironmentVariable("NETDUMP_KEPT_GUESTS") is { Length: > 0 } folder ? folder : null;

    private readonly ConcurrentDictionary<string, Lazy<Task<CrashedGuest>>> _guests = [];
    private readonly ConcurrentDictionary<string, string> _said = [];
    private readonly ConcurrentBag<string> _scratches = [];

    /// <summary>Debian 12's kernel, five-level paging, crashed by sysrq-c; free, cached, private, huge and anonymous pages.</summary>
    public CrashedGuest Linux61 => Of("6.1", "virtio-net-pci", "sysrq");

    /// <summary>The backported kernel, crashed by `netdump test`, confirmed with the host's name.</summary>
    public CrashedGuest Linux612 => Of("6.12", "e1000", "test");

    /// <summary>The newest kernel of Debian's suites, crashed by sysrq-c.</summary>
    public CrashedGuest Newest => Of("newest", "virtio-net-pci", "sysrq");

    /// <summary>
    /// Debian 12's kernel where it was linked to be, so that gdb needs no help. Of its two equal cards the capture kernel names the one eth0
    /// that was eth1, and the other leads nowhere (item 53 of the operators' checklist).
    /// </summary>
    public CrashedGuest Fixed61 => Of("6.1", "virtio-net-pci", "sysrq", memoryMiB: 384, more: "nokaslr lab_swap=1 lab_device=eth1",
        qemu: "-netdev hubport,id=nowhere,hubid=1 -device virtio-net-pci,netdev=nowhere,mac=52:54:00:12:34:57");

    /// <summary>The shared guest of a kernel series.</summary>
    public CrashedGuest Of(string series) => series switch { "6.1" => Linux61, "6.12" => Linux612, _ => Newest };

    /// <summary>The guest that crashed of a cause. While it is waited for, the next one that nobody asked for yet is booted beside it.</summary>
    public CrashedGuest Of(CrashCause cause)
    {
        Task<CrashedGuest> asked = Begin(cause);
        if (CrashCause.All.FirstOrDefault(other => !_guests.ContainsKey(Key(other))) is { } next) _ = Begin(next);
        return asked.GetAwaiter().GetResult();
    }

    /// <summary>The cause once more, of a boot that put the kernel elsewhere (there are some 500 places).</summary>
    public CrashedGuest Again(CrashCause cause)
    {
        ulong place = KernelOffset(Of(cause));
        for (int boot = 2; ; boot++)
        {
            CrashedGuest guest = Of(cause with { Boot = boot });
            if (KernelOffset(guest) != place) return guest;
            Assert.True(boot < 4, $"three boots put the kernel at 0x{place:x}");
        }
    }

    /// <summary>How far from where it was linked a kernel ran.</summary>
    public static ulong KernelOffset(CrashedGuest guest)
    {
        using VmcoreFile file = VmcoreFile.Open(guest.Vmcore);
        return file.RequireInfo().KernelOffset ?? throw new InvalidOperationException("no KERNELOFFSET");
    }

    /// <summary>What a judge says of a shared dump: asked once.</summary>
    public string Remember(string what, Func<string> ask) => _said.GetOrAdd(what, _ => ask());

    public void Dispose()
    {
        // One that was begun ahead may still run: it ends by itself.
        foreach (Lazy<Task<CrashedGuest>> guest in _guests.Values)
            ((IAsyncResult)guest.Value).AsyncWaitHandle.WaitOne(Limit);
        foreach (string scratch in _scratches)
            if (Directory.Exists(scratch)) Directory.Delete(scratch, recursive: true);
    }

    private static string Key(CrashCause cause) => $"{cause.Series} {cause}";

    private Task<CrashedGuest> Begin(CrashCause cause) => _guests.GetOrAdd(Key(cause), _ => new(() => Task.Run(() =>
        Boot(cause.Series, cause.ToString(), cause.Level, cause.Name, 400, "virtio-net-pci", cause.Arguments, "", withModule: cause.Name != "oom")))).Value;

    private CrashedGuest Of(string series, string nic, string crashBy, int memoryMiB = 512, string more = "lab_load=1 lab_tasks=1 log_buf_len=1M", string qemu = "") =>
        _guests.GetOrAdd($"{series} {more}", _ => new(() => Task.Run(() =>
            Boot(series, more.Replace(' ', '-'), 0, crashBy, memoryMiB, nic, more, qemu, withModule: false)))).Value.GetAwaiter().GetResult();

    private CrashedGuest Boot(string series, string name, int level, string crashBy, int memoryMiB, string nic, string more, string qemu, bool withModule)
    {
        TestKernel kernel = Workspace.Kernel(series);
        string? kept = Kept is null ? null : Path.Combine(Kept, $"{kernel.Release}-{name}");
        string scratch = kept ?? Workspace.Scratch("CrashedGuest");
        string console = Path.Combine(scratch, "console");
        if (kept is null) _scratches.Add(scratch);
        else if (File.Exists(console)) return new CrashedGuest(kernel, File.ReadAllText(console), Assert.Single(Directory.GetDirectories(Path.Combine(scratch, "crash"), "*-????-??-??-*")));
        Directory.CreateDirectory(scratch);
        using DumpServer server = new(Path.Combine(scratch, "crash"));
        string[] digest = level == 0 ? ["CAPTURE_DIGEST=yes"] : [];
        using Guest guest = new(kernel, scratch, ["NETDUMPADDR=10.0.2.2", $"NETDUMPPORT={server.Port}", $"DUMPLEVEL={level}", .. digest], crashBy,
            memoryMiB, withModule: withModule, nic: nic, more: more, qemu: qemu);
        guest.WaitForLine("guest: netdump start said 0", Limit);
        guest.WaitForReboot(Limit);
        string crash = KernelCrashTests.WaitForCrash(server);
        Assert.Equal(0, server.Stop());
        File.WriteAllText(console, guest.Console);
        return new CrashedGuest(kernel, guest.Console, crash);
    }
}
