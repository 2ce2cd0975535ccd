namespace Netdump.EndToEnd;

/// <summary>What a host does when its server refuses it, is another one, or is away: never a dump to a stranger, never a host that stays down.</summary>
public sealed class SecureLadderTests
{
    private static readonly TimeSpan StatusLimit = TimeSpan.FromMinutes(2);

    [Fact]
    public void Proof_2_a_revoked_host_and_a_server_with_another_key_are_named_and_nothing_is_written()
    {
        string scratch = Workspace.Scratch();
        using SecureWorld world = new(scratch);
        world.StartServer();
        Terminal guest = world.Boot(Workspace.Kernel("6.1"), ["NETDUMPADDR=10.0.2.2", "GIVEUP_SECONDS=20"]);
        SecureWorld.Propagate(guest);
        guest.Run("service netdump restart");

        world.Server.Run("netdump-server revoke crashguest");
        Status(guest, 2, @"FAIL  server: our key is not enrolled at 10\.0\.2\.2:6667 \(403\)  \[not-enrolled\]\n        -> netdump propagate");
        SecureWorld.Propagate(guest, isKnown: true);
        Status(guest, 1, "knows this host as crashguest");

        // An enrolled key gets no shell, no file, no port.
        guest.Run("cp /etc/netdump/id_ecdsa /tmp/key && chmod 600 /tmp/key");
        Assert.Contains("refused", guest.Run("ssh -i /tmp/key -o BatchMode=yes netdump@10.0.2.2 id", exit: 1), StringComparison.Ordinal);

        // Somebody between, or a server made anew.
        string pinned = world.Server.Run("netdump-server fingerprint").Trim();
        world.Server.Run("service netdump-server stop && rm -rf /var/crash/server && service netdump-server start");
        string other = world.Server.Run("netdump-server fingerprint").Trim();
        Assert.NotEqual(pinned, other);
        Status(guest, 2, $@"FAIL  server: 10\.0\.2\.2:6667 shows another key than the one pinned on [0-9-]+: pinned {Quoted(pinned)}, now {Quoted(other)}.*\[server-key\]\n        -> compare with netdump-server fingerprint");
        SecureWorld.Crash(guest);
        Assert.Contains(other, guest.Output.Split("the capture kernel runs netdump")[1], StringComparison.Ordinal);
        Assert.Contains("nothing moved for 20 s", guest.Output, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(world.Store(), "*-????-??-??-*"));
        Directory.Delete(scratch, true);
    }

    [Fact]
    public void With_CLASSIC_FALLBACK_a_dump_that_is_refused_goes_out_in_the_clear_with_the_magic_that_ssh_brought()
    {
        string scratch = Workspace.Scratch();
        using SecureWorld world = new(scratch);
        world.StartServer();
        Terminal guest = world.Boot(Workspace.Kernel("6.1"), ["NETDUMPADDR=10.0.2.2", "CLASSIC_FALLBACK=yes"]);
        SecureWorld.Propagate(guest);
        string start = guest.Run("service netdump restart");
        Assert.True(start.Contains("ok    magic: 10.0.2.2 takes classic dumps of this host only with the number", StringComparison.Ordinal), start);
        string magic = System.Text.RegularExpressions.Regex.Match(guest.Run("cut -c 1-16 /run/netdump/magic"), "[0-9a-fA-F]{16}").Value; // a prompt may stand before it
        Assert.NotEmpty(magic);
        Assert.Contains(magic, world.Server.Run("cat /var/crash/magic/*"), StringComparison.OrdinalIgnoreCase);
        world.Server.Run("netdump-server revoke crashguest");
        SecureWorld.Crash(guest);
        Assert.Contains("no server took it by the secure upload: CLASSIC_FALLBACK=yes, so it goes out in the clear", guest.Output, StringComparison.Ordinal);
        Assert.Contains("10.0.2.2 has the dump", guest.Output, StringComparison.Ordinal);
        Assert.Contains("sysrq triggered crash", File.ReadAllText(Path.Combine(world.OneCrash(world.Store()), "log")), StringComparison.Ordinal);
        Directory.Delete(scratch, true);
    }

    [Fact]
    public void A_dump_that_no_server_takes_is_kept_on_the_spool_and_sent_by_the_next_start()
    {
        string scratch = Workspace.Scratch();
        string spool = Path.Combine(scratch, "spool");
        using (FileStream empty = File.Create(spool)) empty.SetLength(512 << 20);
        string[] configuration = ["NETDUMPADDR=10.0.2.2", "SPOOL=/dev/vdb", "GIVEUP_SECONDS=120"];
        string disks = $"-drive file={spool},if=virtio,format=raw,cache=writethrough";
        using SecureWorld world = new(scratch);
        world.StartServer();
        Terminal guest = world.Boot(Workspace.Kernel("6.1"), configuration, qemu: disks);
        SecureWorld.Propagate(guest);
        Assert.Contains("is in use", guest.Run("netdump spool init /dev/vda", exit: 1), StringComparison.Ordinal); // the disk of /etc/netdump
        Assert.Contains("/dev/vdb is a spool of 512 MiB", guest.Run("netdump spool init /dev/vdb"), StringComparison.Ordinal);
        string start = guest.Run("service netdump restart");
        Assert.True(start.Contains("ok    spool: /dev/vdb keeps a dump that no server takes, drivers", StringComparison.Ordinal), start);
        world.Server.Run("service netdump-server stop");
        SecureWorld.Crash(guest);
        Assert.Matches("keeps the dump, [0-9]+ bytes: the next netdump start sends it", guest.Output);
        Assert.Empty(Directory.GetDirectories(world.Store(), "*-????-??-??-*"));

        world.Server.Run("service netdump-server start");
        Terminal again = world.Boot(Workspace.Kernel("6.1"), configuration, qemu: disks);
        again.Type("service netdump start");
        again.Expect("the spooled dump is on the server: ", TimeSpan.FromMinutes(3));
        string crash = world.OneCrash(world.Store());
        Assert.Contains("sysrq triggered crash", File.ReadAllText(Path.Combine(crash, "log")), StringComparison.Ordinal);
        Assert.Contains("sysrq_handle_crash", CrashUtility.Run(Workspace.Kernel("6.1"), Path.Combine(crash, "vmcore"), "bt"), StringComparison.Ordinal);
        Assert.Contains("nothing to send", again.Run("netdump spool send"), StringComparison.Ordinal);
        Directory.Delete(scratch, true);
    }

    // An emulated guest beside others is slow: a server may take its time.
    private static void Status(Terminal guest, int exit, string pattern)
    {
        string said = guest.Run("netdump status --wait 60; true", limit: StatusLimit);
        Assert.Matches(pattern, said);
        Assert.Matches(exit == 2 ? "NOT ARMED" : "ARMED, UNPROVEN", said);
    }

    private static string Quoted(string text) => System.Text.RegularExpressions.Regex.Escape(text);
}
