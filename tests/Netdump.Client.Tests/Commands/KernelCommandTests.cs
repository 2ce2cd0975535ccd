using System.Text.Json;
using Netdump.Vmcore.Tests;
using static Netdump.Client.Tests.Commands.CapturedRun;

namespace Netdump.Client.Tests.Commands;

/// <summary>The commands that look into a dead kernel, against what the crash utility says of the same dump, byte for byte.</summary>
[Collection("console")] // its tests take the output of the process
public sealed class KernelCommandTests
{
    private static string FourLevel => SharedData.File("linux-6.1-sysrq-4level", "vmcore.kdump");

    [Theory]
    [InlineData("User22", "mount")]
    [InlineData("User23", "net")]
    [InlineData("User26", "irq")]
    public void User22_User23_User26_equal_crash(string item, string command)
    {
        (int exit, string output, string error) = Run(command, FourLevel, "--format", "crash");
        Assert.Equal((0, ""), (exit, error));
        Assert.True(Golden(command) == output, $"{item}: {command} is not what crash prints:\n{output}");
    }

    [Fact]
    public void User22_mount_lists_types_paths_and_whether_frozen()
    {
        (int exit, string output, _) = Run("mount", FourLevel);
        Assert.Equal(0, exit);
        string[] lines = output.TrimEnd('\n').Split('\n');
        Assert.Equal(7, lines.Length);
        Assert.Contains("FROZEN", lines[0], StringComparison.Ordinal);
        Assert.Equal("ffff8e9b026ef800  configfs  none    rw  no          /sys/kernel/config", lines[5]);
        JsonElement json = JsonDocument.Parse(Run("mount", SharedData.FullCore, "--json").Output).RootElement;
        Assert.Contains(json.EnumerateArray(), m => m.GetProperty("device").GetString() == "/dev/loop0" && m.GetProperty("path").GetString() == "/mnt");
    }

    [Fact]
    public void User23_net_says_up_carrier_and_addresses()
    {
        JsonElement json = JsonDocument.Parse(Run("net", SharedData.FullCore, "--json").Output).RootElement;
        Assert.Equal(
            ["lo True True", "eth0 True True", "eth1 False False", "bond0 True False"],
            json.EnumerateArray().Select(d => $"{d.GetProperty("name")} {d.GetProperty("up").GetBoolean()} {d.GetProperty("carrier").GetBoolean()}"));
        Assert.Matches(@"eth0 +up +yes +1500 +0  52:54:00:12:34:56  10\.0\.2\.15/24, fec0::", Run("net", FourLevel).Output);
    }

    [Fact]
    public void User26_irq_prints_the_used_lines_and_all_on_demand()
    {
        string[] used = Run("irq", FourLevel).Output.TrimEnd('\n').Split('\n');
        Assert.Equal(10, used.Length);
        Assert.Matches("^   4           0 +[0-9]+  IO-APIC +ttyS0$", used[3]);
        Assert.Equal(441, Run("irq", FourLevel, "--all").Output.TrimEnd('\n').Split('\n').Length);
        JsonElement json = JsonDocument.Parse(Run("irq", SharedData.FullCore, "--json").Output).RootElement;
        Assert.Contains(json.EnumerateArray(), i => i.GetProperty("number").GetInt32() == 11 && i.GetProperty("actions")[0].GetString() == "virtio1");
    }

    [Fact]
    public void User30_struct_with_offsets_is_the_layout_of_the_debug_information()
    {
        (int exit, string output, _) = Run("struct", FourLevel, "task_struct", "--offsets");
        Assert.Equal((0, Golden("struct_task_struct-layout")), (exit, output));
    }

    [Fact]
    public void Struct_prints_types_of_every_kind()
    {
        Assert.Equal("struct list_head {\n    struct list_head *next;\n    struct list_head *prev;\n}\nSIZE: 16\n", Run("struct", FourLevel, "list_head").Output);
        Assert.Equal("typedef __kernel_pid_t pid_t;\nSIZE: 4\n", Run("struct", FourLevel, "pid_t").Output);
        Assert.Contains("    SYSTEM_RUNNING = 3,\n", Run("struct", FourLevel, "system_states").Output, StringComparison.Ordinal);
        Assert.Contains("    ssize_t (*read)(struct file *, char *, size_t, loff_t *);\n", Run("struct", FourLevel, "file_operations").Output, StringComparison.Ordinal);
        Assert.Equal("struct task_struct {\n  [2416] pid_t pid;\n  [2344] unsigned int in_iowait : 1;\n}\n", Run("struct", FourLevel, "task_struct.pid,in_iowait").Output);
        JsonElement json = JsonDocument.Parse(Run("struct", FourLevel, "task_struct.in_iowait", "--json").Output).RootElement;
        Assert.Equal((9792, 1), (json.GetProperty("size").GetInt32(), json.GetProperty("members")[0].GetProperty("bits").GetInt32()));
    }

    [Fact]
    public void User29_struct_finds_types_of_modules()
    {
        string dump = SharedData.File("linux-6.1-sysrq", "vmcore.kdump-zlib-d31");
        Assert.StartsWith("struct ext4_sb_info {\n", Run("struct", dump, "ext4_sb_info").Output, StringComparison.Ordinal);
        Assert.StartsWith("struct sunrpc_net {\n", Run("struct", dump, "sunrpc_net", "--module", "sunrpc").Output, StringComparison.Ordinal);
        Assert.Equal((1, "netdump: module ext5 brought no types along; did you mean ext4?\n"), Failure(Run("struct", dump, "ext4_sb_info", "--module", "ext5")));
    }

    [Fact]
    public void Struct_prints_objects_as_gdb_does()
    {
        Assert.Equal(
            """
            struct uts_namespace {
              name = {
                sysname = "Linux",
                nodename = "crashguest",
                release = "6.1.0-56-amd64",
                version = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)",
                machine = "x86_64",
                domainname = "(none)"
              },
              user_ns = 0xffffffff82c53a40 <init_user_ns>,
              ucounts = 0x0,
              ns = {
                stashed = {
                  counter = 0
                },
                ops = 0xffffffff82225780 <utsns_operations>,
                inum = 4026531838,
                count = {
                  refs = {
                    counter = 3
                  }
                }
              }
            }

            """, Run("struct", FourLevel, "uts_namespace", "init_uts_ns").Output);
        Assert.Equal("  pid = 1\n  comm = \"init\"\n  mm.owner.pid = 1\n", Run("struct", FourLevel, "task_struct.pid,comm,mm.owner.pid", "ffff8e9b011f8000").Output);
        Assert.Equal("  pid = 0x1\n", Run("struct", FourLevel, "task_struct.pid", "0xffff8e9b011f8000", "-x").Output);
        Assert.Equal("  nr_running = 2\n  curr = 0xffff8e9b011f8000\n", Run("struct", FourLevel, "rq.nr_running,curr", "runqueues:1").Output);
        Assert.Equal("4294894182\n", Run("struct", FourLevel, "=jiffies").Output);
        Assert.Contains("<not in the dump>", Run("struct", FourLevel, "list_head", "ffff800000000000").Output, StringComparison.Ordinal);
        JsonElement json = JsonDocument.Parse(Run("struct", FourLevel, "task_struct.comm,stack,tasks", "ffff8e9b011f8000", "--json").Output).RootElement;
        Assert.Equal(("init", "0xffffd1d240010000"), (json.GetProperty("value").GetProperty("comm").GetString(), json.GetProperty("value").GetProperty("stack").GetString()));
    }

    [Fact]
    public void Struct_walks_lists_from_an_object_or_a_head_and_says_which()
    {
        (_, string output, string error) = Run("struct", FourLevel, "task_struct.pid,comm", "init_task", "--list", "tasks");
        Assert.Contains("is taken for the first task_struct of the list", error, StringComparison.Ordinal);
        Assert.Equal(60, output.Split("\n  pid = ").Length - 1); // 59 processes and the idle task: G61 ps without swapper/1
        (_, output, error) = Run("struct", FourLevel, "module.name", "modules", "--list", "list");
        Assert.Equal("netdump: modules is taken for the list's head\n", error);
        Assert.Equal(11, output.Split("name = ").Length - 1);
    }

    [Fact]
    public void Struct_says_what_there_is_not()
    {
        Assert.Equal((1, "netdump: there is no type task_strukt in the kernel or its modules\n"), Failure(Run("struct", FourLevel, "task_strukt")));
        Assert.Equal((1, "netdump: task_struct has no member coom; did you mean comm?\n"), Failure(Run("struct", FourLevel, "task_struct.coom")));
        Assert.Equal((1, "netdump: there is no symbol no_such, and it is no hexadecimal address\n"), Failure(Run("struct", FourLevel, "list_head", "no_such")));
        Assert.Equal(2, Run("struct", FourLevel, "task_struct", "--list", "tasks").Exit);
    }

    [Fact]
    public void User7_User25_kmem_equals_crash()
    {
        Assert.Equal(Golden("kmem_-i"), Run("kmem", FourLevel, "--format", "crash").Output);
        Assert.Equal(Golden("kmem_-s"), Run("kmem", FourLevel, "--slabs", "--format", "crash").Output);
        string[] caches = Run("kmem", FourLevel, "--slabs").Output.TrimEnd('\n').Split('\n');
        Assert.Equal(146, caches.Length);
        Assert.Matches(" 833 +8k +6.5 MiB  inode_cache$", caches[1]);
        Assert.Matches("(?m)^huge +10 +20 MiB  of 2 MiB each, 6 free, 0 reserved$", Run("kmem", SharedData.FullCore).Output);
        JsonElement json = JsonDocument.Parse(Run("kmem", FourLevel, "--json").Output).RootElement;
        Assert.Equal((43_826, 35_223, 4_308), (Count("total_pages"), Count("free_pages"), Count("slab_pages")));
        Assert.Equal(["DMA", "DMA32"], json.GetProperty("zones").EnumerateArray().Take(2).Select(z => z.GetProperty("name").GetString()));

        int Count(string name) => json.GetProperty(name).GetInt32();
    }

    [Fact]
    public void Kmem_says_what_an_address_is()
    {
        Assert.StartsWith("0xffff8e9b011f8000: lies in the task_struct of init (PID 1); lies 0x0 bytes into an allocated object of cache task_struct at 0xffff8e9b011f8000", Explain("ffff8e9b011f8000"), StringComparison.Ordinal);
        Assert.Contains("lies in the stack of init (PID 1); lies in the mapped area 0xffffd1d240010000-0xffffd1d240015000, made by kernel_clone+0x", Explain("ffffd1d240013a80"), StringComparison.Ordinal);
        Assert.Contains("is sysrq_handle_crash+0x16/0x20;", Explain("sysrq_handle_crash+16"), StringComparison.Ordinal);
        Assert.Contains("lies 0x10 bytes into an allocated object of cache mnt_cache at 0xffff8e9b01a44c80", Explain("ffff8e9b01a44c90"), StringComparison.Ordinal);
        Assert.Contains("an address of processes", Explain("0x401158"), StringComparison.Ordinal);
        Assert.Contains("nothing is mapped at", Explain("ffff800000000000"), StringComparison.Ordinal);
        // The newest layouts: slabs by page type, areas in trees, the mount that is mounted at /.
        JsonElement json = JsonDocument.Parse(Run("kmem", SharedData.FullCore, "ff3db5c041256d80", "--json").Output).RootElement;
        Assert.Equal("mnt_cache", json.GetProperty("slab").GetProperty("cache").GetString());
        Assert.Equal(2, Run("kmem", FourLevel, "ffff8e9b011f8000", "--slabs").Exit);

        static string Explain(string address) => Run("kmem", FourLevel, address).Output;
    }

    [Fact]
    public void User3_User4_User33_info_says_what_the_kernel_was_like()
    {
        string output = Run("info", FourLevel).Output;
        foreach (string line in (string[])
        [
            "inside        kallsyms present, BTF present, unwinding present\n", "panic         Kernel panic - not syncing: sysrq triggered crash (CPU 1)\n",
            "uptime        00:00:07, booted 2026-11-23 02:41:45 UTC\n", "load          0.16, 0.03, 0.01\n", "tasks         61\n", "taint         E (unsigned module)\n",
            "processors    2 x QEMU TCG CPU version 2.5+, 2596 MHz\n", "boot id       6dd9eff0-47df-44d4-964c-0a066a754abd\n",
        ])
            Assert.Contains(line, output, StringComparison.Ordinal);
        Assert.Equal("E  unsigned module\n", Run("info", FourLevel, "--taint").Output);
        JsonElement inside = JsonDocument.Parse(Run("info", FourLevel, "--json").Output).RootElement.GetProperty("inside");
        Assert.True(inside.GetProperty("symbols").GetBoolean() && inside.GetProperty("types").GetBoolean() && inside.GetProperty("unwinding").GetBoolean());
        Assert.Equal("unsigned module", inside.GetProperty("taint")[0].GetProperty("words").GetString());
        Assert.Equal(61, inside.GetProperty("tasks").GetInt32());
    }

    [Fact]
    public void Info_in_the_form_of_crash_is_what_crash_begins_with()
    {
        string output = Run("info", FourLevel, "--format", "crash").Output;
        Assert.Equal(Golden("sys"), output.Replace(FourLevel, "vmcore.kdump", StringComparison.Ordinal));
    }

    private static (int Exit, string Error) Failure((int Exit, string Output, string Error) run) => (run.Exit, run.Error);

    private static string Golden(string name) => File.ReadAllText(SharedData.File("linux-6.1-sysrq-4level", $"golden/{name}.txt"));
}
