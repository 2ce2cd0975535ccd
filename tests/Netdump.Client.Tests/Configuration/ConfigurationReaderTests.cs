using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Client.Image;
using Netdump.Client.Tests.Host;

namespace Netdump.Client.Tests.Configuration;

public sealed class ConfigurationReaderTests
{
    private static ClientConfiguration Read(string text) => ConfigurationReader.Read("/etc/netdump.conf", text);

    [Fact]
    public void The_originals_file_as_it_was_shipped_with_an_address()
    {
        ClientConfiguration c = Read("""
            # LOCALPORT=6666
            DEV=
            NETDUMPADDR=10.0.2.2
            NETDUMPPORT=6666
            NETDUMPMACADDR=
            NETDUMPKEYEXCHANGE=none
            IDLETIMEOUT=60
            NETLOGADDR=
            SYSLOGADDR=
            MHZ=2000
            """);
        Assert.Equal([new Endpoint("10.0.2.2", 6666)], c.Servers);
        Assert.Equal(new ConsoleTarget(new Endpoint("10.0.2.2", 6666), null), c.NetLog);
        Assert.Null(c.SysLog);
        Assert.Equal((60, 6666, true, null), (c.GiveUpSeconds, c.LocalPort, c.PanicOnOops, c.Device));
        Assert.Equal(["/etc/netdump.conf:6: NETDUMPKEYEXCHANGE is ignored: the magic is exchanged by ssh as soon as a key is (netdump propagate)", "/etc/netdump.conf:10: MHZ is ignored: kernels keep time by themselves"], c.Notes);
    }

    [Fact]
    public void All_new_keys()
    {
        ClientConfiguration c = Read("""
            NETDUMPADDR="a.example, 10.0.0.2:7777 [fd00::1]:6667 fd00::2"
            NETDUMPPORT=6660
            NETDUMPMACADDR=52-54-0-12-34-AB
            NETLOGADDR=log.example
            NETLOGPORT=6661
            SYSLOGADDR=10.0.0.3
            LOCALPORT=6662
            DEV=eth1
            GIVEUP_SECONDS=120
            IDLETIMEOUT=60
            PANIC_ON_OOPS=no
            EXTRA_MODULES="bonding 8021q"
            CAPTURE_CMDLINE='earlyprintk=ttyS0 "x y"'
            CAPTURE_CPUS=4
            FINAL_ACTION=halt
            CAPTURE_DIGEST=yes
            DUMPLEVEL=17
            TRANSPORT=Secure
            SECUREPORT=7443
            CLASSIC_FALLBACK=yes
            SPOOL=/dev/disk/by-partlabel/netdump
            SSH_PORT=2222
            SSHOPTIONS="-o Compression=yes -J jump.example"
            KERNEL=/boot/other
            MODULE_ROOT=/srv/modules
            """);
        Assert.Equal([new("a.example", 6660), new("10.0.0.2", 7777), new("fd00::1", 6667), new("fd00::2", 6660)], c.Servers);
        Assert.Equal("52:54:00:12:34:ab", c.ServerMac);
        Assert.Equal(new ConsoleTarget(new Endpoint("log.example", 6661), null), c.NetLog);
        Assert.Equal(new ConsoleTarget(new Endpoint("10.0.0.3", 514), null), c.SysLog);
        Assert.Equal((6662, "eth1", 120, false), (c.LocalPort, c.Device, c.GiveUpSeconds, c.PanicOnOops));
        Assert.Equal(["bonding", "8021q"], c.ExtraModules);
        Assert.Equal(("earlyprintk=ttyS0 \"x y\"", 4, FinalAction.Halt, true), (c.CaptureCommandLine, c.CaptureCpus, c.FinalAction, c.CaptureDigest));
        Assert.Equal(17, c.DumpLevel);
        Assert.Equal((Transport.Secure, 7443, true, "/dev/disk/by-partlabel/netdump", 2222), (c.Transport, c.SecurePort, c.ClassicFallback, c.Spool, c.SshPort));
        Assert.Equal(["-o", "Compression=yes", "-J", "jump.example"], c.SshOptions);
        Assert.Equal(("/boot/other", "/srv/modules"), (c.Kernel, c.ModuleRoot));
    }

    [Theory]
    [InlineData("", TriggerSet.Oops, false)]
    [InlineData("PANIC_ON_OOPS=no", TriggerSet.None, false)]
    [InlineData("TRIGGERS='lockup, nmi'", TriggerSet.Lockup | TriggerSet.Nmi, true)]
    [InlineData("TRIGGERS=none\nPANIC_ON_OOPS=no", TriggerSet.None, true)]
    public void Triggers_are_oops_alone_unless_somebody_chose(string text, TriggerSet wanted, bool chosen)
    {
        ClientConfiguration c = Read(text);
        Assert.Equal((wanted, chosen), (c.WantedTriggers, c.Triggers is not null));
    }

    [Fact]
    public void Dumps_go_by_the_secure_channel_where_it_is_and_never_in_the_clear_for_lack_of_it()
    {
        ClientConfiguration c = Read("NETDUMPADDR=10.0.0.2");
        Assert.Equal((Transport.Auto, 6667, false, null, null), (c.Transport, c.SecurePort, c.ClassicFallback, c.Spool, c.SshPort));
        Assert.Empty(c.SshOptions);
    }

    [Fact]
    public void Console_lines_default_to_the_first_server_and_its_hardware_address()
    {
        ClientConfiguration c = Read("NETDUMPADDR='10.0.0.2:7777 10.0.0.3'\nNETDUMPMACADDR=02:00:00:00:00:01\n");
        Assert.Equal(new ConsoleTarget(new Endpoint("10.0.0.2", 7777), "02:00:00:00:00:01"), c.NetLog);
        Assert.Null(Read("NETDUMPADDR=10.0.0.2\nNETLOGADDR=NONE\n").NetLog);
        Assert.Equal(new Endpoint("10.0.0.9", 6666), Read("NETLOGADDR=10.0.0.9\n").NetLog?.Server);
    }

    [Theory]
    [InlineData("NETDUMPADR=x", "unknown key NETDUMPADR; did you mean NETDUMPADDR?")]
    [InlineData("GIVEUP_SECOND=1", "did you mean GIVEUP_SECONDS?")]
    [InlineData("capture_cpu=1", "did you mean CAPTURE_CPUS?")]
    [InlineData("MHZZ=1", "did you mean MHZ?")]
    [InlineData("NETDUMPPORT=0", "NETDUMPPORT=0 is not a port")]
    [InlineData("LOCALPORT=65536", "not a port")]
    [InlineData("NETDUMPADDR=a:b:c", "NETDUMPADDR=a:b:c is not")]
    [InlineData("NETDUMPADDR=host:99999", "not host names")]
    [InlineData("NETDUMPMACADDR=52:54:00:12:34", "hardware address")]
    [InlineData("GIVEUP_SECONDS=5", "a number from 10 to 86400")]
    [InlineData("DUMPLEVEL=32", "a number from 0 to 31")]
    [InlineData("CAPTURE_CPUS=zero", "a number from 1 to 1024")]
    [InlineData("PANIC_ON_OOPS=maybe", "yes or no")]
    [InlineData("FINAL_ACTION=sleep", "reboot, halt or shell")]
    [InlineData("TRIGGERS=oops,sometimes", "a list of oops, lockup, hung, nmi, all or none")]
    [InlineData("TRANSPORT=tls", "TRANSPORT=tls is not auto, secure or classic")]
    [InlineData("CLASSIC_FALLBACK=perhaps", "yes or no")]
    [InlineData("SECUREPORT=0", "not a port")]
    [InlineData("SSH_PORT=ssh", "not a port")]
    [InlineData("SPOOL=sda3", "SPOOL=sda3 is not a block device")]
    [InlineData("PANIC_ON_OOPS=no TRIGGERS=all", "contradict each other")]
    public void A_mistake_is_named_with_file_and_line(string line, string message)
    {
        string text = Assert.Throws<ClientException>(() => Read("# first\n" + line + "\n")).Message;
        Assert.StartsWith("/etc/netdump.conf:2: ", text);
        Assert.Contains(message, text);
        Assert.DoesNotContain('\n', text);
    }

    [Fact]
    public void The_first_file_that_exists_counts_and_a_named_one_beats_all()
    {
        using var host = new FakeHost();
        Assert.Null(ClientConfiguration.Load(host.Files, null).Source);
        host.Write("/etc/default/netdump", "DEV=c\n");
        Assert.Equal("c", ClientConfiguration.Load(host.Files, null).Device);
        host.Write("/etc/sysconfig/netdump", "DEV=b\n");
        Assert.Equal("b", ClientConfiguration.Load(host.Files, null).Device);
        host.Write("/etc/netdump.conf", "DEV=a\n");
        Assert.Equal("a", ClientConfiguration.Load(host.Files, null).Device);
        Assert.Equal("d", ClientConfiguration.Load(host.Files, host.Write("/srv/own.conf", "DEV=d\n")).Device);
        string relative = Path.GetRelativePath(Environment.CurrentDirectory, host.Root + "/srv/own.conf");
        Assert.Equal(host.Root + "/srv/own.conf", ClientConfiguration.Load(host.Files, relative).Source);
        Assert.Contains("/srv/absent does not exist", Assert.Throws<ClientException>(() => ClientConfiguration.Load(host.Files, "/srv/absent")).Message);
    }

    [Theory]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("ab", "ba", 1)]
    [InlineData("", "abc", 3)]
    [InlineData("same", "same", 0)]
    public void Edits_are_counted(string a, string b, int edits) => Assert.Equal(edits, NearestName.Distance(a, b));
}
