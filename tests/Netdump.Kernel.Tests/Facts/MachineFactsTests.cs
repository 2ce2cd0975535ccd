using System.Globalization;
using Netdump.Kernel.Facts;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Facts;

/// <summary>What the machine was like, against crash's outputs (golden) and what the guest said of itself before it died (truth).</summary>
public class MachineFactsTests
{
    public static TheoryData<string> Dumps => [Crashes.Linux61FourLevel, Crashes.Linux61, Crashes.Linux73, Crashes.Arm64];

    public static TheoryData<string, string> Guests => new()
    {
        { Crashes.Linux61FourLevel, "linux-6.1-sysrq-4level" }, { Crashes.Linux73, "linux-7.3-sysrq-full" }, { Crashes.Arm64, "linux-6.12-arm64-sysrq" },
    };

    [Fact]
    public void Item38_names_taint_load_and_times_of_6_1()
    {
        var kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        var facts = kernel.Facts;
        Assert.Equal(
            new UtsNames("Linux", "crashguest", "6.1.0-56-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)", "x86_64", "(none)"), facts.Uts);
        Assert.Equal("console=ttyS0 crashkernel=96M loglevel=4 lab.send=elf,kdz lab.truth=1", facts.CommandLine);
        Assert.StartsWith("Linux version 6.1.0-56-amd64 (", facts.Banner, StringComparison.Ordinal);
        Assert.EndsWith("(2026-11-16)", facts.Banner, StringComparison.Ordinal);
        Assert.Equal(("E", 1 << 13), (facts.Taint!.Letters, (int)facts.Taint.Mask));
        Assert.Equal("unsigned module", Assert.Single(facts.Taint.Flags).Words);
        Assert.Equal("0.16, 0.03, 0.01", string.Join(", ", facts.Load!.Select(l => l.ToString("F2", CultureInfo.InvariantCulture))));
        Assert.Equal(250, facts.Clock.Hz);
        Assert.Equal(TimeSpan.FromSeconds(7.544), facts.Clock.TickUptime);
        Assert.InRange(facts.Clock.Uptime!.Value.TotalSeconds, 7.544, 8.5);
        Assert.Equal(kernel.Info.CrashTime!.Value.ToUnixTimeSeconds(), facts.Clock.Crashed!.Value.ToUnixTimeSeconds());
        Assert.Equal("6dd9eff0-47df-44d4-964c-0a066a754abd", facts.BootId.ToString());
        Assert.Equal(96UL << 20, facts.CrashKernelBytes);
        Assert.Equal((1, 1, true, "SYSTEM_RUNNING"), (facts.Panic.Processor, facts.Panic.CrashingProcessor, facts.Panic.OnOops, facts.Panic.SystemState));
        Assert.Empty(facts.BpfPrograms);
        Assert.Empty(kernel.Gaps.All);
    }

    [Theory]
    [MemberData(nameof(Dumps))]
    public void Item39_boot_is_the_crash_less_the_uptime_on_every_kernel(string path)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        var clock = kernel.Facts.Clock;
        Assert.Equal(250, clock.Hz);
        Assert.InRange(Math.Abs((clock.Crashed! - kernel.Info.CrashTime!).Value.TotalSeconds), 0, 1);
        Assert.InRange(Math.Abs((clock.Crashed!.Value - clock.Uptime!.Value - clock.Booted!.Value).TotalSeconds), 0, 1);
        Assert.InRange(Math.Abs((clock.Uptime!.Value - clock.TickUptime!.Value).TotalSeconds), 0, 1);
        Assert.Equal("SYSTEM_RUNNING", kernel.Facts.Panic.SystemState);
        Assert.Equal(2, kernel.Facts.Hardware.Online);
    }

    [Fact]
    public void Item40_memory_counters_are_those_of_crash()
    {
        var kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        var memory = kernel.Facts.Memory;
        Assert.Equal((43_826UL, 35_223L, 1_672L, 4_308L), (memory.TotalPages!.Value, memory.FreePages!.Value, memory.CachedPages!.Value, memory.SlabPages!.Value));
        Assert.Equal((81_790UL, 21_913UL, 509L, 0UL), (memory.PresentPages!.Value, memory.CommitLimitPages!.Value, memory.CommittedPages!.Value, memory.BufferPages!.Value));
        // golden/kmem_-z.txt
        Assert.Equal(["DMA", "DMA32", "Normal", "Movable", "Device"], memory.Zones.Select(z => z.Name));
        Assert.Equal((4095UL, 3998UL, 39UL, 48UL, 57UL), (memory.Zones[0].SpannedPages, memory.Zones[0].PresentPages, memory.Zones[0].Min, memory.Zones[0].Low, memory.Zones[0].High));
        Assert.Equal((77_792UL, 31_415UL, 352UL, 440UL, 528UL), (memory.Zones[1].SpannedPages, memory.Zones[1].FreePages, memory.Zones[1].Min, memory.Zones[1].Low, memory.Zones[1].High));
        Assert.All(memory.Zones, z => Assert.InRange(
            z.FreeBlocks.Select((blocks, order) => (long)blocks << order).Sum(), (long)z.FreePages - 500, (long)z.FreePages + 500));
    }

    [Fact]
    public void Huge_pages_and_buffers_of_7_3_are_those_the_guest_saw()
    {
        var kernel = Crashes.Open(Crashes.Linux73);
        using var dump = kernel.Dump;
        var memory = kernel.Facts.Memory;
        Assert.Contains(new HugePages(2 << 20, 10, 6, 0), memory.HugePages);
        Assert.InRange(memory.BufferPages!.Value, 25UL, 100UL); // meminfo, some seconds before: 100 kB
        Assert.Equal(245_832UL / 4, memory.TotalPages);
        Assert.InRange(memory.FreePages!.Value, 106_368 / 4 - 8_000, 106_368 / 4 + 8_000);
    }

    [Theory]
    [MemberData(nameof(Guests))]
    public void Item41_mounts_are_those_the_guest_saw(string path, string folder)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        var truth = Lines(folder, "truth/mounts.txt").Select(line => string.Join(' ', line.Split(' ')[..3]));
        // 7.3 has a nullfs below all, which /proc/mounts does not show.
        Assert.Equal(truth, kernel.Facts.Mounts.Where(m => m.Type != "nullfs").Select(m => $"{m.Device} {m.Path} {m.Type}"));
        Assert.All(kernel.Facts.Mounts, mount => Assert.Equal((0, false), (mount.Frozen, mount.IsReadOnly)));
    }

    [Theory]
    [MemberData(nameof(Guests))]
    public void Item42_interrupts_are_those_the_guest_saw_and_came_no_less_often(string path, string folder)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        var judged = 0;
        var ours = kernel.Facts.Interrupts.ToDictionary(i => i.Number);
        foreach (var line in Lines(folder, "truth/interrupts.txt"))
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (!int.TryParse(fields[0].TrimEnd(':'), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                continue;
            var interrupt = ours[number];
            Assert.Equal(fields[^1], string.Join(", ", interrupt.Actions.Select(a => a.Name)));
            Assert.StartsWith(interrupt.Chip, fields[3], StringComparison.Ordinal);
            Assert.True(interrupt.Counts[0] >= uint.Parse(fields[1], CultureInfo.InvariantCulture), line);
            Assert.True(interrupt.Counts[1] >= uint.Parse(fields[2], CultureInfo.InvariantCulture), line);
            judged++;
        }
        Assert.True(judged >= 9, $"only {judged} were compared");
    }

    [Theory]
    [MemberData(nameof(Guests))]
    public void User23_network_devices_are_those_the_guest_saw(string path, string folder)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        var text = string.Join('\n', Lines(folder, "truth/ip-addr.txt"));
        var devices = kernel.Facts.NetDevices;
        Assert.Equal(text.Split('\n').Count(line => char.IsAsciiDigit(line[0])), devices.Count);
        foreach (var device in devices)
        {
            var line = text.Split('\n').Single(l => l.StartsWith($"{device.Index}: {device.Name}:", StringComparison.Ordinal));
            Assert.Equal(line.Contains(",UP", StringComparison.Ordinal), device.IsUp);
            Assert.Contains($"mtu {device.Mtu} ", line, StringComparison.Ordinal);
            Assert.Contains(device.Hardware!, text, StringComparison.Ordinal);
            if (device.IsUp)
                Assert.Equal(line.Contains("LOWER_UP", StringComparison.Ordinal), device.HasCarrier);
            Assert.All(device.Addresses, a => Assert.Contains($" {a.Address}/{a.PrefixLength} ", text, StringComparison.Ordinal));
        }
        Assert.Equal(text.Split('\n').Count(l => l.TrimStart().StartsWith("inet", StringComparison.Ordinal)), devices.Sum(d => d.Addresses.Count));
    }

    [Fact]
    public void Item44_processor_machine_and_microcode_of_6_1()
    {
        var kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        var hardware = kernel.Facts.Hardware;
        Assert.Equal(("AuthenticAMD", "QEMU TCG CPU version 2.5+", "15-107-1"), (hardware.Vendor, hardware.Model, hardware.Stepping));
        Assert.Equal((16_777_317U, 2, 2, 2596), (hardware.Microcode, hardware.Online, hardware.Possible, hardware.Megahertz));
        Assert.Equal("QEMU Standard PC (i440FX + PIIX, 1996)", hardware.Machine);
        Assert.DoesNotContain(hardware.Dmi.Keys, key => key.Contains("serial", StringComparison.Ordinal) || key.Contains("uuid", StringComparison.Ordinal));
    }

    [Fact]
    public void User25_slab_caches_are_those_of_crash()
    {
        var kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        var caches = kernel.Facts.SlabCaches;
        var ours = caches.Select(c => $"{c.Address:x16} {c.ObjectSize,8} {c.Allocated,10} {c.Objects,9} {c.Slabs,6} {c.SlabBytes / 1024,5}k  {c.Name}");
        Assert.Equal(Lines("linux-6.1-sysrq-4level", "golden/kmem_-s.txt").Skip(1), ours);
        Assert.Equal(145, caches.Count);
        Assert.Equal(("inode_cache", 833UL, 8192UL), caches.MaxBy(c => c.Bytes) is { } largest ? (largest.Name, largest.Slabs, largest.SlabBytes) : default);
        Assert.Empty(kernel.Gaps.All);
    }

    [Theory]
    [MemberData(nameof(Guests))]
    public void Slab_caches_have_the_sizes_that_the_guest_saw(string path, string folder)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        var caches = kernel.Facts.SlabCaches;
        var judged = 0;
        foreach (var line in Lines(folder, "truth/slabinfo.txt").Skip(2))
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (caches.SingleOrDefault(c => c.Name == fields[0]) is not { Objects: > 0 } cache)
                continue;
            Assert.InRange(cache.Free, 0UL, cache.Objects);
            Assert.Equal(0UL, cache.Objects % ulong.Parse(fields[4], CultureInfo.InvariantCulture));
            judged++;
        }
        Assert.True(judged > 80, $"only {judged} were compared");
        // The global counter has these pages, and those of large kmallocs, which no cache has.
        var pages = (long)(caches.Aggregate(0UL, (sum, c) => sum + c.Bytes) / (ulong)kernel.Memory.PageSize);
        Assert.InRange(kernel.Facts.Memory.SlabPages!.Value, pages * 9 / 10, pages * 2);
    }

    private static string[] Lines(string folder, string name) => File.ReadAllLines(SharedData.File(folder, name));
}
