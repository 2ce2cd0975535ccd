using System.Net;
using CsCheck;
using Netdump.Server.Options;
using Netdump.Server.Receivers.Udp;

namespace Netdump.Server.Tests.Options;

public sealed class OptionTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("netdump-options-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static ServerOptions Read(params string[] arguments) => Read(arguments, []);

    private static ServerOptions Read(string[] arguments, List<string> notes) =>
        CommandLine.Parse(arguments, TextWriter.Null)!.ReadOptions(notes);

    private string Write(string text)
    {
        string path = Path.Combine(_directory, "server.toml");
        File.WriteAllText(path, text);
        return path;
    }

    [Fact]
    public void Item01_listens_on_port_6666_of_every_address_by_default()
    {
        ServerOptions options = Read("--config", Write(""));
        Assert.Equal(6666, options.Port);
        Assert.Equal(IPAddress.IPv6Any, options.Listen);
        Assert.Equal("/var/crash", options.Store);
        Assert.Equal(256, options.MaxConcurrentDumps);
        Assert.Equal(new ServerOptions(), options);
    }

    [Fact]
    public void Item01_port_and_addr_change_it()
    {
        ServerOptions options = Read("--port", "7000", "--addr", "127.0.0.1");
        Assert.Equal(7000, options.Port);
        Assert.Equal(IPAddress.Loopback, options.Listen);
    }

    [Fact]
    public void Options_of_the_original_keep_their_names()
    {
        ServerOptions options = Read("-C", "/tmp/x", "-a", "::1", "-c", "7", "-P", "/tmp/pid", "-s", "1", "-S", "0", "--port=1");
        Assert.Equal("/tmp/x", options.Store);
        Assert.Equal(IPAddress.IPv6Loopback, options.Listen);
        Assert.Equal(7, options.MaxConcurrentDumps);
        Assert.Equal("/tmp/pid", options.PidFile);
        Assert.Equal(SecurePolicy.Always, options.Secure);
        Assert.False(options.SpaceCheck);
        Assert.Equal("/tmp/y", Read("--dumpdir", "/tmp/y").Store);
        Assert.Equal(SecurePolicy.Never, Read("--secure", "0").Secure);
        Assert.Equal(9, Read("--concurrent", "9").MaxConcurrentDumps);
    }

    [Fact]
    public void What_makes_no_sense_today_is_accepted_with_a_note()
    {
        List<string> notes = [];
        string file = Write("skip_zero = 1\ncompress = \"/bin/gzip\"\n");
        Assert.Equal(new ServerOptions(), Read(["-d", "-D", "1", "-v", "2", "--config", file], notes));
        Assert.Equal(5, notes.Count);
        Assert.Contains(notes, n => n.StartsWith("daemon:", StringComparison.Ordinal));
    }

    [Fact]
    public void Item41_the_command_line_beats_the_file_which_beats_the_defaults()
    {
        string file = Write("""
            # settings
            port = 7001
            listen = "127.0.0.1"
            secure = 0
            space_check = false
            allow = ["10.0.0.0/8", "fd00::/8"]
            hook_timeout = 5
            ending = "exit"
            """);
        ServerOptions options = Read("--config", file, "--port", "7002");
        Assert.Equal(7002, options.Port);
        Assert.Equal(IPAddress.Loopback, options.Listen);
        Assert.Equal(SecurePolicy.Never, options.Secure);
        Assert.False(options.SpaceCheck);
        Assert.Equal("10.0.0.0/8, fd00::/8", options.AllowedNetworks.ToString());
        Assert.Equal(TimeSpan.FromSeconds(5), options.HookTimeout);
        Assert.Equal(DumpEnding.Exit, options.Ending);
        Assert.Equal(256, options.MaxConcurrentDumps);
    }

    [Fact]
    public void The_original_file_is_read_as_it_was()
    {
        string file = Write("port=7003\naddr=\"127.0.0.1\"\nmax_concurrent_dumps=3\ndaemon=true\ndumpdir=\"/tmp/z\"\nsecure=1\n");
        ServerOptions options = Read("--config", file);
        Assert.Equal((7003, 3, "/tmp/z", SecurePolicy.Always), (options.Port, options.MaxConcurrentDumps, options.Store, options.Secure));
    }

    [Theory]
    [InlineData("prot = 1", ":1:1: unknown setting 'prot' (did you mean 'port'?)")]
    [InlineData("\n\n  stor = \"x\"", ":3:3: unknown setting 'stor' (did you mean 'store'?)")]
    [InlineData("qqqqqqqqqqqq = 1", ":1:1: unknown setting 'qqqqqqqqqqqq'")]
    [InlineData("port = 1\nport = 70000", ":2:")]
    [InlineData("port = 70000", ":1:8: port: '70000' is no number from 0 to 65535")]
    [InlineData("port = [1]", ":1:8: port: takes one value, not an array")]
    [InlineData("port = 1.5", ":1:8: port: takes text, a whole number, true or false")]
    [InlineData("secure = \"maybe\"", ":1:10: secure: 'maybe' is neither auto, 0 nor 1")]
    [InlineData("allow = \"10.0.0.1/8\"", ":1:9: allow: '10.0.0.1/8' has address bits set behind its prefix length of 8")]
    [InlineData("listen = \"nowhere\"", ":1:10: listen: 'nowhere' is no address; write it like 192.0.2.1, fd00::1 or any")]
    [InlineData("[server]\nport = 1", ":1:1: this file has no tables; write key = value lines only")]
    [InlineData("port = ", ":1:")]
    [InlineData("port = \"1", ":1:")]
    public void Item41_errors_of_the_file_name_line_and_column(string text, string expected)
    {
        string file = Write(text);
        OptionException error = Assert.Throws<OptionException>(() => Read("--config", file));
        Assert.StartsWith(file + expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
        Assert.False(error.IsUsage);
    }

    [Theory]
    [InlineData("--prot 1", "unknown argument '--prot' (did you mean --port?)")]
    [InlineData("--port x", "--port: 'x' is no number from 0 to 65535")]
    [InlineData("-s 2", "-s: '2' is neither auto, 0 nor 1")]
    [InlineData("--allow 10.0.0.0/33", "--allow: '10.0.0.0/33' has no prefix length between 0 and 32 behind the slash")]
    [InlineData("--addr 10.1", "--addr: '10.1' is no address; write it like 192.0.2.1, fd00::1 or any")]
    [InlineData("crash", "unknown argument 'crash'")]
    public void Errors_of_the_command_line_are_usage_errors(string arguments, string expected)
    {
        OptionException error = Assert.Throws<OptionException>(() => Read(arguments.Split(' ')));
        Assert.Equal(expected, error.Message);
        Assert.True(error.IsUsage);
    }

    [Theory]
    [InlineData("--port")]
    [InlineData("--port 1 --port 2")]
    public void A_value_too_few_or_too_many_is_a_usage_error(string arguments)
    {
        OptionException error = Assert.Throws<OptionException>(() => Read(arguments.Split(' ')));
        Assert.Contains("--port", error.Message, StringComparison.Ordinal);
        Assert.True(error.IsUsage);
    }

    [Fact]
    public void A_missing_file_is_one_line()
    {
        OptionException error = Assert.Throws<OptionException>(() => Read("--config", _directory + "/none.toml"));
        Assert.Equal($"cannot read the settings in {_directory}/none.toml: no such file", error.Message);
    }

    [Fact]
    public void Help_shows_every_option_and_examples()
    {
        StringWriter help = new();
        Assert.Null(CommandLine.Parse(["--help"], help));
        foreach (Setting setting in Settings.All.Where(s => s.Note is null))
            Assert.Contains(setting.Names[0], help.ToString(), StringComparison.Ordinal);
        Assert.Contains("netdump-server --store ./crashes --listen 127.0.0.1 --port 6666", help.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("--daemon", help.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("10.255.0.1", true)]
    [InlineData("172.16.0.1", true)]
    [InlineData("172.32.0.1", false)]
    [InlineData("192.168.9.9", true)]
    [InlineData("169.254.1.1", true)]
    [InlineData("100.64.0.1", true)]
    [InlineData("100.128.0.1", false)]
    [InlineData("8.8.8.8", false)]
    [InlineData("::1", true)]
    [InlineData("fd12::1", true)]
    [InlineData("fe80::1%1", true)]
    [InlineData("2001:db8::1", false)]
    [InlineData("::ffff:10.0.0.1", true)]
    [InlineData("::ffff:8.8.8.8", false)]
    public void Default_networks_are_loopback_and_private(string address, bool allowed) =>
        Assert.Equal(allowed, NetworkList.Private.Contains(AddressKey.From(IPAddress.Parse(address))));

    [Fact]
    public void Any_means_both_families_and_slash_zero_only_its_own()
    {
        AddressKey four = AddressKey.From(IPAddress.Parse("8.8.8.8")), six = AddressKey.From(IPAddress.Parse("2001:db8::1"));
        Assert.True(NetworkList.Parse(["any"]).Contains(four) && NetworkList.Parse(["any"]).Contains(six));
        Assert.True(NetworkList.Parse(["0.0.0.0/0"]).Contains(four) && !NetworkList.Parse(["0.0.0.0/0"]).Contains(six));
        Assert.True(!NetworkList.Parse(["::/0"]).Contains(four) && NetworkList.Parse(["::/0"]).Contains(six));
    }

    [Fact]
    public void A_network_contains_exactly_the_addresses_with_its_prefix() =>
        Gen.Select(Gen.UInt, Gen.Int[0, 32], Gen.UInt).Sample((network, length, address) =>
        {
            uint mask = length == 0 ? 0 : uint.MaxValue << (32 - length);
            network &= mask;
            NetworkList list = NetworkList.Parse([$"{AddressKey.FromIPv4(network)}/{length}"]);
            Assert.Equal((address & mask) == network, list.Contains(AddressKey.FromIPv4(address)));
            Assert.True(list.Contains(AddressKey.FromIPv4(network | (address & ~mask))));
        });

    [Fact]
    public void Brackets_beyond_any_depth_are_refused_with_one_line()
    {
        OptionException error = Assert.Throws<OptionException>(() => ConfigurationFile.Parse("threads = " + new string('[', 100), "f"));
        Assert.StartsWith("f: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("an array of such", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Random_text_is_read_or_refused_with_one_line() =>
        Gen.Char["abport=\"[]#\n 01.'{}-_,:"].Array[0, 40].Select(chars => new string(chars)).Sample(text =>
        {
            try
            {
                ConfigurationFile.Parse(text, "f");
            }
            catch (OptionException e)
            {
                Assert.StartsWith("f:", e.Message, StringComparison.Ordinal);
                Assert.DoesNotContain('\n', e.Message);
            }
        });
}
