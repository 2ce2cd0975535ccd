using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Netdump.EndToEnd;

/// <summary>
/// Proof 7: the codes of `netdump status`, provoked on real kernels where a guest can. tests/guest/conditions makes the conditions; the codes that
/// need a machine of another kind are provoked by unit tests over made-up /proc and /sys.
/// </summary>
public partial class StatusTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);

    [Fact]
    public void Items_49_to_51_on_an_armed_host_each_condition_has_its_code_and_remedy_and_the_watch_repairs_what_it_can()
    {
        string scratch = Workspace.Scratch();
        using Guest guest = new(Workspace.Kernel("6.1"), scratch, ["NETDUMPADDR=10.0.2.2", $"NETDUMPPORT={DumpServer.FreePort()}"], "conditions");
        guest.WaitForReboot(Limit);
        Dictionary<string, (int Exit, string Said)> cases = Cases(guest.Console);

        // Item 50: nobody listens, and the host is armed.
        Assert.Contains("guest: netdump start said 0", guest.Console, StringComparison.Ordinal);
        Assert.Contains("guest: netdump status said 1", guest.Console, StringComparison.Ordinal);
        Matches(guest.Console, "ARMED, UNPROVEN, ", @"  warn  last proven: never  \[untested\]\n        -> netdump test", @"  warn  triggers: .*\[nmi\]\n        -> netdump start --triggers oops,lockup,nmi", @"\[no-secure-channel\]", @"  warn  identity: this host has no key: dumps go in the clear, .*\[not-enrolled\]\n        -> netdump propagate");
        Assert.Equal(1, cases["boot-untouched"].Exit); // item 51: grep found no file below /boot that is younger than netdump start

        Told(cases["stale-image"], 1, @"warn  image: [0-9a-f]{6} is not what start would build now: configuration file changed, settings changed  \[stale-image\]\n        -> netdump restart");
        Told(cases["console-off"], 1, @"warn  console: target netdump is switched off .*\[console-off\]\n        -> netdump restart");
        Told(cases["watch"], 1, "ok    image: [0-9a-f]{6}, ", "ok    console: eth0 -> 10.0.2.2:");
        Assert.DoesNotContain("stale-image", cases["watch"].Said, StringComparison.Ordinal);
        Assert.Equal((0, "1\n52:55:0a:00:02:02"), cases["next-hop"]);
        Assert.Equal((0, "1"), cases["target-lost"]);
        Assert.Equal(0, cases["watch-ended"].Exit);
        Told(cases["watch-said"], 0, "target netdump was switched off: repaired", "configuration file changed, settings changed: armed anew",
            "the next hop's hardware address is 52:55:0a:00:02:02 now \\(was 02:00:00:00:00:99\\): repaired");
        Assert.InRange(cases["watch-said"].Said.Split('\n').Length, 4, 5); // once each; the second loss of the target may be a trouble of its own

        Told(cases["triggers-set"], 0, "panic_on_oops:1\nsoftlockup_panic:1\nhardlockup_panic:1\nhung_task_panic:1\nunknown_nmi_panic:1$");
        Told(cases["triggers"], 1, @"warn  triggers: .*softlockup_panic=0 .*lockup was asked for and is off  \[triggers\]\n        -> netdump restart");
        Told(cases["no-nic"], 1, @"warn  path: no route to server 10\.0\.2\.2  \[no-nic\]\n        -> bring the network up");
        Told(cases["busy"], 2, "^NOT ARMED", @"FAIL  loaded: a crash kernel is loaded, but not by netdump  \[busy\]\n        -> .*netdump start --replace");
        Told(cases["busy-start"], 1, @"FAIL  loaded: .*\[busy\]\n        -> .*--replace$");
        Told(cases["busy-replace"], 0, @"warn  loaded: replacing a crash kernel .*\[busy\]");
        Told(cases["stop"], 0, "panic_on_oops:0\nsoftlockup_panic:0\nhardlockup_panic:0\nhung_task_panic:0\nunknown_nmi_panic:0$");
        JsonNode json = JsonNode.Parse(cases["not-loaded"].Said)!;
        Assert.Equal((2, 2, false), (cases["not-loaded"].Exit, (int)json["exit_code"]!, (bool)json["armed"]!));
        Assert.Equal("not-loaded", (string?)json["checks"]!.AsArray().Single(c => (string?)c!["level"] == "fail")!["code"]);
        Told(cases["no-route"], 1, @"FAIL  path: no route to server 10\.0\.2\.2  \[no-nic\]");
        Told(cases["locked-down"], 1, @"FAIL  kexec: kernel\.kexec_load_disabled=1.*\[locked-down\]\n        -> .*before what sets it");
        Told(cases["locked-down-status"], 2, @"FAIL  kexec: .*\[locked-down\]", "  -     loaded: not tried");
        Directory.Delete(scratch, recursive: true);
    }

    [Theory]
    [InlineData("none", @"FAIL  reserve: 0 MiB reserved: the kernel command line has no crashkernel=  \[no-reservation\]\n        -> add crashkernel=160M to the kernel command line", "reserve: 0 MiB reserved")]
    [InlineData("20M", @"FAIL  reserve: 20 MiB reserved; this image needs about [0-9]+ MiB  \[reserve-small\]\n        -> raise crashkernel= to [0-9]+M and reboot", @"warn  reserve: 20 MiB reserved, which is too little for many kernels  \[reserve-small\]")]
    public void Items_48_and_49_without_memory_set_aside_nothing_is_armed_and_both_start_and_status_say_what_to_add(string crashkernel, string start, string status)
    {
        string scratch = Workspace.Scratch();
        using Guest guest = new(Workspace.Kernel("6.1"), scratch, ["NETDUMPADDR=10.0.2.2"], "none", memoryMiB: 384, crashkernel: crashkernel);
        guest.WaitForReboot(Limit);
        string[] parts = Quiet(guest.Console).Split("guest: netdump start said 1\n");
        Assert.True(parts.Length == 2, guest.Console);
        Matches(parts[0], start);
        Matches(parts[1], "(?m)^NOT ARMED: ", status, "guest: netdump status said 2");
        Directory.Delete(scratch, recursive: true);
    }

    private static void Told((int Exit, string Said) found, int exit, params string[] patterns)
    {
        Assert.True(found.Exit == exit, $"exit code {found.Exit}, not {exit}:\n{found.Said}");
        Matches(found.Said, patterns);
    }

    private static void Matches(string text, params string[] patterns)
    {
        foreach (string pattern in patterns) Assert.Matches(pattern, Quiet(text));
    }

    /// <summary>The console without what the kernel said meanwhile.</summary>
    private static string Quiet(string console) => string.Join('\n', console.Split('\n').Where(l => !KernelLine().IsMatch(l)));

    private static Dictionary<string, (int Exit, string Said)> Cases(string console) => CaseText().Matches(Quiet(console)).ToDictionary(
        m => m.Groups["name"].Value, m => (int.Parse(m.Groups["exit"].Value), m.Groups["said"].Value.TrimEnd('\n')));

    [GeneratedRegex(@"guest: case (?<name>\S+)\n(?<said>.*?)guest: case \k<name> said (?<exit>\d+)", RegexOptions.Singleline)]
    private static partial Regex CaseText();

    [GeneratedRegex(@"^\[ *\d+\.\d{6}\]")]
    private static partial Regex KernelLine();
}
