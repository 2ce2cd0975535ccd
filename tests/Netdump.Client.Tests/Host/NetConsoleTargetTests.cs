using System.Net;
using Netdump.Client.Host;
using Netdump.Client.Linux;

namespace Netdump.Client.Tests.Host;

public sealed class NetConsoleTargetTests : IDisposable
{
    private const string Target = NetConsoleTarget.Root + "/netdump";

    private static readonly string[] Files61 =
        ["enabled", "extended", "dev_name", "local_port", "remote_port", "local_ip", "remote_ip", "local_mac", "remote_mac"];

    private static readonly string[] Files612 = [.. Files61, "release", "userdata/"];
    private static readonly string[] Files73 =
        [.. Files612, "transmit_errors", "userdata/cpu_nr_enabled", "userdata/taskname_enabled", "userdata/release_enabled", "userdata/msgid_enabled"];

    private readonly FakeHost _host = new();

    private static NetConsoleSettings Settings(bool extended = true) => new(
        extended, "eth0", IPAddress.Parse("10.0.2.15"), IPAddress.Parse("10.0.2.2"), 6666, "52:55:0a:00:02:02", [("machine", "web-17"), ("boot", "b0")]);

    [Fact]
    public void Item1_writes_in_the_order_that_always_works_on_6_1()
    {
        var configFs = new FakeConfigFs(_host.Root, Files61);
        new NetConsoleTarget(configFs, "netdump").Start(Settings());
        Assert.Equal(
        [
            "mkdir", "extended=1", "dev_name=eth0", "local_port=6665", "local_ip=10.0.2.15", "remote_ip=10.0.2.2", "remote_port=6666",
            "remote_mac=52:55:0a:00:02:02", "enabled=1",
        ], configFs.Done);
    }

    [Fact]
    public void Item2_release_is_set_where_the_file_is_after_extended()
    {
        var configFs = new FakeConfigFs(_host.Root, Files612);
        new NetConsoleTarget(configFs, "netdump").Start(Settings());
        Assert.Equal(["mkdir", "extended=1", "release=1", "dev_name=eth0"], configFs.Done[..4]);
    }

    [Fact]
    public void Item2_release_is_never_set_without_extended()
    {
        var configFs = new FakeConfigFs(_host.Root, Files73);
        new NetConsoleTarget(configFs, "netdump").Start(Settings(extended: false));
        Assert.Equal(["mkdir", "extended=0", "release=0"], configFs.Done[..3]);
        Assert.DoesNotContain(configFs.Done, d => d.Contains("userdata", StringComparison.Ordinal));
    }

    [Fact]
    public void Item3_userdata_and_sysdata_are_set_where_the_files_are()
    {
        var configFs = new FakeConfigFs(_host.Root, Files73);
        new NetConsoleTarget(configFs, "netdump").Start(Settings());
        Assert.Equal(
        [
            "mkdir userdata/machine", "userdata/machine/value=web-17", "mkdir userdata/boot", "userdata/boot/value=b0",
            "userdata/cpu_nr_enabled=1", "userdata/taskname_enabled=1", "userdata/msgid_enabled=1", "enabled=1",
        ], configFs.Done[^8..]);
    }

    [Fact]
    public void Item3_userdata_stays_below_the_kernels_limit_and_on_one_line()
    {
        var configFs = new FakeConfigFs(_host.Root, Files612);
        new NetConsoleTarget(configFs, "netdump").Start(Settings() with { UserData = [("machine", new string('€', 100) + "\n")] });
        string value = configFs.Done.Single(d => d.StartsWith("userdata/machine/value=", StringComparison.Ordinal))["userdata/machine/value=".Length..];
        Assert.Equal(66, value.Length);
        Assert.DoesNotContain('\n', value);
    }

    [Theory]
    [InlineData(19, "no such network device")]
    [InlineData(16, "port of a bond, bridge or team")]
    [InlineData(89, "no address")]
    [InlineData(524, "refuses netconsole")]
    [InlineData(22, "release is set without extended")]
    public void Item1_a_refused_write_names_file_value_and_meaning_and_leaves_nothing(int error, string meaning)
    {
        var configFs = new FakeConfigFs(_host.Root, Files612) { Refuse = ("enabled", error) };
        string message = Assert.Throws<ClientException>(() => new NetConsoleTarget(configFs, "netdump").Start(Settings())).Message;
        Assert.Contains(Target + "/enabled", message);
        Assert.Contains("writing 1", message);
        Assert.Contains(meaning, message);
        Assert.False(configFs.Exists(Target));
    }

    [Fact]
    public void Item1_enabled_is_read_back()
    {
        var configFs = new FakeConfigFs(_host.Root, Files61) { IgnoreEnabled = true };
        Assert.Contains("did not enable", Assert.Throws<ClientException>(() => new NetConsoleTarget(configFs, "netdump").Start(Settings())).Message);
    }

    [Fact]
    public void An_earlier_target_is_deleted_first_with_its_userdata()
    {
        var configFs = new FakeConfigFs(_host.Root, Files612);
        new NetConsoleTarget(configFs, "netdump").Start(Settings());
        configFs.Done.Clear();
        new NetConsoleTarget(configFs, "netdump").Start(Settings());
        Assert.Equal(["rmdir userdata/boot", "rmdir userdata/machine", "rmdir", "mkdir"], configFs.Done[..4]);
        new NetConsoleTarget(configFs, "netdump").Remove();
        Assert.False(configFs.Exists(Target));
    }

    [Fact]
    public void Item8_transmit_errors_are_read_where_the_kernel_counts_them()
    {
        var old = new NetConsoleTarget(new FakeConfigFs(_host.Root, Files61), "netdump");
        old.Start(Settings());
        Assert.Null(old.TransmitErrors);
        var recent = new FakeConfigFs(_host.Root, Files73);
        var target = new NetConsoleTarget(recent, "netdump");
        target.Start(Settings());
        recent.Write(Target + "/transmit_errors", "7\n");
        Assert.Equal(7, target.TransmitErrors);
    }

    [Theory]
    [InlineData("ttyS0                -W- (EC p  a)    4:64\nnetcon_ext0          -W- (E  N   )\n", true)]
    [InlineData("ttyS0                -W- (EC N  a)    4:64\nnetcon_ext0          -W- (E      )\n", false)]
    [InlineData("", false)]
    public void Item9_a_console_with_its_own_thread_is_told_by_its_flag(string consoles, bool late)
    {
        _host.Write("/proc/consoles", consoles);
        Assert.Equal(late, new Consoles(_host.Files).PanicLines() is not null);
    }

    [Theory]
    [InlineData("8\t4\t1\t7\n", null)]
    [InlineData("4\t4\t1\t7\n", "console_loglevel is 4: messages of level 4 and above are not sent live")]
    public void Item7_a_log_level_below_8_is_a_warning(string printk, string? fact)
    {
        _host.Write("/proc/sys/kernel/printk", printk);
        Assert.Equal(fact, new Consoles(_host.Files).LogLevel()?.Fact);
    }

    public void Dispose() => _host.Dispose();

    /// <summary>configfs as the kernel shows it: making a directory makes the files of an object, removing it removes them; all is recorded.</summary>
    private sealed class FakeConfigFs(string root, string[] files) : HostFiles(root)
    {
        public List<string> Done { get; } = [];

        public (string File, int Error)? Refuse { get; init; }

        public bool IgnoreEnabled { get; init; }

        public override void MakeDirectory(string path)
        {
            base.MakeDirectory(path);
            Done.Add(Say("mkdir", path));
            if (path == Target)
            {
                foreach (string file in files)
                {
                    if (file.EndsWith('/')) base.MakeDirectory($"{path}/{file[..^1]}");
                    else File.WriteAllText(Map($"{path}/{file}"), "0\n");
                }
            }
            else
            {
                File.WriteAllText(Map($"{path}/value"), "");
            }
        }

        public override void RemoveDirectory(string path)
        {
            Done.Add(Say("rmdir", path));
            Directory.Delete(Map(path), recursive: true);
        }

        public override void Write(string path, string text)
        {
            Assert.EndsWith("\n", text);
            string file = path[(Target.Length + 1)..];
            Done.Add($"{file}={text[..^1]}");
            if (Refuse is { } refuse && refuse.File == file) throw new LinuxException($"write {path}", refuse.Error);
            if (IgnoreEnabled && file == "enabled") return;
            base.Write(path, text);
        }

        private static string Say(string what, string path) => path == Target ? what : $"{what} {path[(Target.Length + 1)..]}";
    }
}
