namespace Netdump.EndToEnd;

/// <summary>What lies on the cards of a host is made again in the capture kernel, and leased addresses are renewed: rows no-nic and wrong-nic-order.</summary>
public class NetworkStackTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(6);

    /// <summary>
    /// Item 52 of the operators' checklist: the dump leaves by VLAN 120 of a bond of two cards that have changed names, with an address that the
    /// capture kernel asks for once more. The switch passes nothing that is not in the VLAN.
    /// </summary>
    [Fact]
    public void Item_52_a_dump_leaves_by_a_VLAN_of_a_bond_of_two_cards_in_swapped_order_with_its_lease_renewed()
    {
        string scratch = Workspace.Scratch("bond");
        using DumpServer server = new(Path.Combine(scratch, "crash"));
        using VlanSwitch cable = new(120);
        using Guest guest = new(Workspace.Kernel("newest"), scratch, ["NETDUMPADDR=10.0.2.2", $"NETDUMPPORT={server.Port}", "DUMPLEVEL=0", "CAPTURE_DIGEST=yes"], "sysrq",
            memoryMiB: 416, crashkernel: "128M", more: "lab_stack=bond lab_swap=1 lab_lease=1", network: cable.Arguments, programs: ["/sbin/ip"]);
        guest.WaitForReboot(Limit);
        File.WriteAllText(Path.Combine(scratch, "console"), guest.Console);
        string crash = KernelCrashTests.WaitForCrash(server), console = guest.Console;
        KernelCrashTests.AssertEqualsProcVmcore(console, Path.Combine(crash, "vmcore"));
        Assert.Matches(@"ok    path: bond0\.120 10\.0\.2\.15 -> bond0 \(eth1, eth0\) -> 10\.0\.2\.2:\d+, next hop 52:55:0a:00:02:02, drivers virtio_pci\+virtio_net\+bonding\+8021q", console);
        Assert.Contains("bond0: bond (active-backup) of eth0 (eth1 before), eth1 (eth0 before)", console, StringComparison.Ordinal);
        Assert.Contains("bond0.120: VLAN 120 of bond0", console, StringComparison.Ordinal);
        Assert.Contains("bond0.120: DHCP gives 10.0.2.15 again", console, StringComparison.Ordinal);
        Assert.Contains("link up: bond0.120 (bond0.120 before), 10.0.2.15/24", console, StringComparison.Ordinal);
        Assert.Contains("sysrq triggered crash", File.ReadAllText(Path.Combine(crash, "log")), StringComparison.Ordinal);
        AssertConsole(server);
        Directory.Delete(scratch, recursive: true);
    }

    /// <summary>
    /// A host of virtual machines: a bridge that filters VLANs over a bond that speaks LACP. The bridge is left out and its address goes to the bond;
    /// nobody answers DHCP any more.
    /// </summary>
    [Fact]
    public void Item_52_a_dump_leaves_by_the_bond_below_a_bridge_with_the_last_address_when_no_DHCP_server_answers()
    {
        string scratch = Workspace.Scratch("bridge");
        using DumpServer server = new(Path.Combine(scratch, "crash"));
        using VlanSwitch cable = new(null);
        using Guest guest = new(Workspace.Kernel("6.1"), scratch, ["NETDUMPADDR=10.0.2.2", $"NETDUMPPORT={server.Port}", "DUMPLEVEL=31"], "sysrq",
            memoryMiB: 384, more: "lab_stack=bridge lab_lease=1", network: cable.Arguments, programs: ["/sbin/ip"]);
        guest.WaitForLine("guest: netdump start said 0", Limit);
        cable.HideDhcp();
        long agreed = cable.Agreed;
        guest.WaitForReboot(Limit);
        File.WriteAllText(Path.Combine(scratch, "console"), guest.Console);
        string crash = KernelCrashTests.WaitForCrash(server), console = guest.Console;
        Assert.Matches(@"ok    path: br0 10\.0\.2\.15 -> bond0 \(eth0, eth1\) -> 10\.0\.2\.2:\d+, next hop 52:55:0a:00:02:02, drivers virtio_pci\+virtio_net\+bonding\n", console);
        Assert.Contains("bond0: bond (802.3ad) of eth0, eth1", console, StringComparison.Ordinal);
        Assert.True(cable.Agreed > agreed, "the capture kernel spoke no LACP");
        Assert.DoesNotContain("the switch speaks no LACP", console, StringComparison.Ordinal);
        Assert.Matches(@"bond0: no DHCP server answers within [34]\.\d s; 10\.0\.2\.15 is used as it was", console);
        Assert.InRange(cable.DhcpLost, 1, 4);
        Assert.Contains("link up: bond0 (br0 before), 10.0.2.15/24", console, StringComparison.Ordinal);
        Assert.Contains("sysrq triggered crash", File.ReadAllText(Path.Combine(crash, "log")), StringComparison.Ordinal);
        AssertConsole(server);
        Directory.Delete(scratch, recursive: true);
    }

    /// <summary>
    /// netconsole runs on the uppermost interface: its first line arrived, which old kernels write too early, or one of those before the crash, which
    /// new kernels may not have sent by then.
    /// </summary>
    private static void AssertConsole(DumpServer server) => Assert.Matches("netconsole: network logging started|lab: a notice before the crash",
        string.Concat(Directory.GetFiles(Path.Combine(server.Store, "console"), "*.log", SearchOption.AllDirectories).Select(File.ReadAllText)));
}
