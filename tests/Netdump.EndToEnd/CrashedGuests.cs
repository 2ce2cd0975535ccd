using System.Collections.Concurrent;
using Netdump.EndToEnd;

[assembly: AssemblyFixture(typeof(CrashedGuests))]

namespace Netdump.EndToEnd;

/// <summary>A guest that crashed, and what its server has of it.</summary>
/// <param name="Kernel">Its kernel.</param>
/// <param name="Console">What its serial line showed, both kernels.</param>
/// <param name="Crash">The server's directory of the crash.</param>
public sealed record CrashedGuest(TestKernel Kernel, string Console, string Crash)
{
    /// <summary>The unfiltered dump.</summary>
    public string Vmcore => Path.Combine(Crash, "vmcore");
}

/// <summary>
/// Guests whose crash more than one test looks at: each is booted when it is first asked for, and its dump kept until the run ends; longer
/// in the folder that NETDUMP_KEPT_GUESTS names, from which the next run takes it without booting.
/// </summary>
public sealed class CrashedGuests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    private static readonly string? Kept = Environment.GetEnvironmentVariable("NETDUMP_KEPT_GUESTS") is { Length: > 0 } folder ? folder : null;

    private readonly ConcurrentDictionary<string, Lazy<CrashedGuest>> _guests = [];
    private readonly ConcurrentDictionary<string, string> _said = [];
    private readonly ConcurrentBag<string> _scratches = [];

    /// <summary>Debian 12's kernel, five-level paging, crashed by sysrq-c; free, cached, private, huge and anonymous pages.</summary>
    public CrashedGuest Linux61 => Of("6.1", "virtio-net-pci", "sysrq");

    /// <summary>The backported kernel, crashed by `netdump test`, confirmed with the host's name.</summary>
    public CrashedGuest Linux612 => Of("6.12", "e1000", "test");

    /// <summary>
    /// Debian 12's kernel where it was linked to be, so that gdb needs no help. Of its two equal cards the capture kernel names the one eth0
    /// that was eth1, and the other leads nowhere (item 53 of the operators' checklist).
    /// </summary>
    public CrashedGuest Fixed61 => Of("6.1", "virtio-net-pci", "sysrq", memoryMiB: 384, more: "nokaslr lab_swap=1 lab_device=eth1",
        qemu: "-netdev hubport,id=nowhere,hubid=1 -device virtio-net-pci,netdev=nowhere,mac=52:54:00:12:34:57");

    /// <summary>The shared guest of a kernel series.</summary>
    public CrashedGuest Of(string series) => series == "6.1" ? Linux61 : Linux612;

    /// <summary>What a judge says of a shared dump: asked once.</summary>
    public string Remember(string what, Func<string> ask) => _said.GetOrAdd(what, _ => ask());

    public void Dispose()
    {
        foreach (string scratch in _scratches)
            if (Directory.Exists(scratch)) Directory.Delete(scratch, recursive: true);
    }

    private CrashedGuest Of(string series, string nic, string crashBy, int memoryMiB = 512, string more = "lab_load=1", string qemu = "") =>
        _guests.GetOrAdd($"{series} {more}", _ => new Lazy<CrashedGuest>(() =>
        {
            TestKernel kernel = Workspace.Kernel(series);
            string? kept = Kept is null ? null : Path.Combine(Kept, $"{kernel.Release}-{more.Replace(' ', '-')}");
            string scratch = kept ?? Workspace.Scratch("CrashedGuest");
            string console = Path.Combine(scratch, "console");
            if (kept is null) _scratches.Add(scratch);
            else if (File.Exists(console)) return new CrashedGuest(kernel, File.ReadAllText(console), Assert.Single(Directory.GetDirectories(Path.Combine(scratch, "crash"), "*-????-??-??-*")));
            Directory.CreateDirectory(scratch);
            using DumpServer server = new(Path.Combine(scratch, "crash"));
            using Guest guest = new(kernel, scratch, ["NETDUMPADDR=10.0.2.2", $"NETDUMPPORT={server.Port}", "CAPTURE_DIGEST=yes"], crashBy,
                memoryMiB, nic: nic, more: more, qemu: qemu);
            guest.WaitForLine("guest: netdump start said 0", Limit);
            guest.WaitForReboot(Limit);
            string crash = KernelCrashTests.WaitForCrash(server);
            Assert.Equal(0, server.Stop());
            File.WriteAllText(console, guest.Console);
            return new CrashedGuest(kernel, guest.Console, crash);
        })).Value;
}
