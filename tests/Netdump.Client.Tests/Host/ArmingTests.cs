using System.Net;
using Microsoft.Win32.SafeHandles;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Client.Image;
using Netdump.Client.Linux;
using Netdump.Client.Tests.Image;

namespace Netdump.Client.Tests.Host;

/// <summary>Arming is all or nothing, and stop knows what to undo whatever happened to start.</summary>
public sealed class ArmingTests : IDisposable
{
    private const string Panic = "/proc/sys/kernel/panic_on_oops", Loaded = "/sys/kernel/kexec_crash_loaded";
    private const string State = "/run/netdump/state.json";

    private readonly FakeHost _host = new();
    private readonly RefusingHost _files;
    private readonly FakeLoader _loader;
    private readonly List<string> _said = [];

    public ArmingTests()
    {
        _files = new RefusingHost(_host.Root);
        _loader = new FakeLoader(_files, _host);
        _host.Write("/proc/sys/kernel/random/boot_id", "b\n");
        _host.Write(Panic, "0\n");
        _host.Write(Loaded, "0\n");
        _host.Write("/sys/kernel/kexec_crash_size", $"{160 << 20}\n");
        _host.MakeDirectory(NetConsoleTarget.Root);
        _host.Write("/lib/modules/6.1/modules.dep");
    }

    private Arming Arming => new(_files, _loader, TimeProvider.System, _said.Add);

    private ArmingPlan Plan(bool dump = true, bool panicOnOops = true, bool console = true, TriggerSet? triggers = null)
    {
        var tree = new ModuleTree(_host.Root + "/lib/modules/6.1");
        var image = new CaptureImage(_host.Write("/usr/sbin/netdump", "program"), new ProgramFiles([], []), DriverSet.Collect(_files, tree, "6.1", [], Assert.Fail), null, CaptureImageTests.Manifest);
        var settings = new NetConsoleSettings(true, "eth0", IPAddress.Parse("10.0.2.15"), IPAddress.Parse("10.0.2.2"), 6666, "52:55:0a:00:02:02", []);
        return new ArmingPlan
        {
            Configuration = new ClientConfiguration(),
            Triggers = triggers ?? (panicOnOops ? TriggerSet.Oops : TriggerSet.None),
            BootId = "b",
            Modules = tree,
            CrashKernel = dump ? new CrashKernel("/boot/vmlinuz-6.1", "ro", image) : null,
            Consoles = console ? [new ConsolePlan(ConsolePlan.NetLogTarget, settings)] : [],
        };
    }

    private (string? Loaded, string? PanicOnOops, bool Console, bool State) Now =>
        (_files.Read(Loaded), _files.Read(Panic), _files.Exists(NetConsoleTarget.Root + "/netdump"), _files.Exists(State));

    private static (string?, string?, bool, bool) Untouched => ("0", "0", false, false);

    private static (string?, string?, bool, bool) Armed => ("1", "1", true, true);

    [Fact]
    public void Start_arms_and_stop_puts_everything_back()
    {
        ArmedState state = Arming.Start(Plan());
        Assert.Equal(Armed, Now);
        Assert.Equivalent(state, ArmedState.Read(_files));
        Assert.True(state.CrashKernel && state.ImageBytes > 0 && state.SettingsBefore["panic_on_oops"] == "0" && state.ConsoleTargets is ["netdump"]);
        Arming.Stop();
        Assert.Equal(Untouched, Now);
        Assert.Equal(["console lines are no longer sent", "the crash kernel is unloaded"], _said[^2..]);
    }

    [Fact]
    public void Stop_touches_no_crash_kernel_of_others()
    {
        Arming.Stop();
        Assert.Equal(["not armed: nothing to stop"], _said);
        _host.Write(Loaded, "1\n");
        Assert.Contains("not by netdump", Assert.Throws<ClientException>(Arming.Stop).Message);
        Assert.Equal("1", _files.Read(Loaded));
    }

    [Fact]
    public void A_restart_remembers_what_was_before_the_first_start_and_drops_what_is_not_wanted_any_more()
    {
        Arming.Start(Plan());
        Arming.Start(Plan(console: false));
        Assert.Equal(("1", "1", false, true), Now);
        Arming.Start(Plan(panicOnOops: false));
        Assert.Equal(("1", "0", true, true), Now);
        Arming.Start(Plan(dump: false));
        Assert.Equal(("0", "0", true, true), Now);
        Arming.Stop();
        Assert.Equal(Untouched, Now);
    }

    [Fact]
    public void A_refused_crash_kernel_leaves_nothing()
    {
        _loader.Refuses = true;
        Assert.Equal("no; do this", Assert.Throws<ClientException>(() => Arming.Start(Plan())).Message);
        Assert.Equal(Untouched, Now);
    }

    [Fact]
    public void A_refused_replacement_that_cost_the_old_crash_kernel_disarms_and_says_so()
    {
        Arming.Start(Plan());
        (_loader.Refuses, _loader.DropsTheOldOne) = (true, true);
        Assert.Contains("NOT ARMED", Assert.Throws<ClientException>(() => Arming.Start(Plan())).Message);
        Assert.Equal(Untouched, Now);
    }

    [Fact]
    public void A_refused_replacement_that_left_the_old_crash_kernel_leaves_the_host_as_it_was()
    {
        ArmedState first = Arming.Start(Plan());
        _loader.Refuses = true;
        Assert.Equal("no; do this", Assert.Throws<ClientException>(() => Arming.Start(Plan())).Message);
        Assert.Equal(Armed, Now);
        Assert.Equivalent(first, ArmedState.Read(_files));
    }

    [Fact]
    public void A_crash_kernel_of_others_that_could_not_be_replaced_is_not_unloaded()
    {
        _host.Write(Loaded, "1\n");
        _loader.Refuses = true;
        Assert.Throws<ClientException>(() => Arming.Start(Plan()));
        Assert.Equal(("1", "0", false, false), Now);
    }

    [Fact]
    public void When_panic_on_oops_cannot_be_set_nothing_is_armed()
    {
        _files.Refuses = Panic;
        string message = Assert.Throws<ClientException>(() => Arming.Start(Plan())).Message;
        Assert.Contains(Panic, message);
        Assert.Contains("set TRIGGERS=", message);
        Assert.Equal(Untouched, Now);
    }

    [Fact]
    public void All_triggers_are_set_and_put_back_those_of_before_included()
    {
        (string Name, string Before)[] settings = [("panic_on_oops", "0"), ("softlockup_panic", "0"), ("hardlockup_panic", "1"), ("hung_task_panic", "0"), ("unknown_nmi_panic", "0")];
        foreach ((string name, string before) in settings) _host.Write(Triggers.PathOf(name), before + "\n");
        string[] Values() => [.. settings.Select(s => _files.Read(Triggers.PathOf(s.Name))!)];
        Arming.Start(Plan(triggers: TriggerSet.All));
        Assert.Equal(["1", "1", "1", "1", "1"], Values());
        Assert.Contains("kernel.panic_on_oops=1, kernel.softlockup_panic=1, kernel.hung_task_panic=1, kernel.unknown_nmi_panic=1 (was 0): each is a crash now, and is dumped", _said);
        Arming.Start(Plan(triggers: TriggerSet.Lockup)); // the others go back at once
        Assert.Equal(["0", "1", "1", "0", "0"], Values());
        Arming.Stop();
        Assert.Equal(settings.Select(s => s.Before), Values());
    }

    [Fact]
    public void When_the_third_of_the_triggers_is_refused_the_first_two_go_back()
    {
        foreach (string name in new[] { "softlockup_panic", "hung_task_panic", "unknown_nmi_panic" }) _host.Write(Triggers.PathOf(name), "0\n");
        _files.Refuses = Triggers.PathOf("hung_task_panic");
        Assert.Contains(_files.Refuses, Assert.Throws<ClientException>(() => Arming.Start(Plan(triggers: TriggerSet.All))).Message);
        Assert.Equal(("0", "0"), (_files.Read(Panic), _files.Read(Triggers.PathOf("softlockup_panic"))));
        Assert.Equal(Untouched, Now);
    }

    [Fact]
    public void Console_lines_that_fail_are_a_warning_beside_a_dump_and_an_error_alone()
    {
        _files.Refuses = NetConsoleTarget.Root + "/netdump/enabled";
        Assert.Empty(Arming.Start(Plan()).ConsoleTargets);
        Assert.Equal(("1", "1", false, true), Now);
        Assert.Contains(_said, s => s.Contains("warn", StringComparison.Ordinal));
        Arming.Stop();
        Assert.Throws<ClientException>(() => Arming.Start(Plan(dump: false)));
        Assert.Equal(Untouched, Now);
    }

    [Fact]
    public void Nothing_is_begun_when_what_was_begun_could_not_be_kept()
    {
        _host.Write("/run"); // a file where the directory should be
        Assert.Contains(State, Assert.Throws<ClientException>(() => Arming.Start(Plan())).Message);
        Assert.Equal(Untouched, Now);
        Assert.Equal(0, _loader.Loads);
    }

    [Fact]
    public void What_stop_could_not_undo_it_undoes_the_next_time()
    {
        Arming.Start(Plan());
        _files.Refuses = Panic;
        Assert.Contains("run netdump stop again", Assert.Throws<ClientException>(Arming.Stop).Message);
        Assert.Equal(("0", "1", false, true), Now);
        _files.Refuses = null;
        Arming.Stop();
        Assert.Equal(Untouched, Now);
    }

    public void Dispose() => _host.Dispose();

    private sealed class FakeLoader(HostFiles files, FakeHost host) : CrashKernelLoader(files)
    {
        public bool Refuses { get; set; }

        public bool DropsTheOldOne { get; set; }

        public int Loads { get; private set; }

        public override void Load(CrashKernel crash, SafeFileHandle image)
        {
            Loads++;
            if (DropsTheOldOne) host.Write(Loaded, "0\n");
            if (Refuses) throw new ClientException("no", "do this");
            host.Write(Loaded, "1\n");
        }

        public override void Unload() => host.Write(Loaded, "0\n");
    }

    /// <summary>A host whose kernel refuses writes to one file; directories of configfs hold the files of a 6.1 target.</summary>
    private sealed class RefusingHost(string root) : HostFiles(root)
    {
        public string? Refuses { get; set; }

        public override void Write(string path, string text)
        {
            if (path == Refuses) throw new LinuxException($"write {path}", Errno.Invalid);
            File.WriteAllText(Map(path), text);
        }

        public override void RemoveDirectory(string path) => Directory.Delete(Map(path), recursive: true);
    }
}
