using System.Net;
using Netdump.Client.Host;

namespace Netdump.Client.Tests.Host;

public sealed class LeaseFilesTests : IDisposable
{
    private readonly FakeHost _host = new();

    private LeaseFile? Find(string address = "10.0.0.5", string name = "eth0") => new LeaseFiles(_host.Files).Find(7, name, IPAddress.Parse(address));

    [Fact]
    public void Networkd_keeps_a_file_for_each_interface_of_this_boot()
    {
        _host.Write("/run/systemd/netif/leases/7", "# This is private data. Do not parse.\nADDRESS=10.0.0.5\nNETMASK=255.255.255.0\nSERVER_ADDRESS=10.0.0.1\nCLIENTID=FFb6220feb000200\n");
        Assert.Equal(new LeaseFile("ffb6220feb000200", IsInForce: true), Find());
        Assert.Null(Find("10.0.0.6"));
    }

    [Fact]
    public void Of_dhclients_blocks_the_last_of_the_address_counts()
    {
        _host.Write("/var/lib/dhcp/dhclient.eth0.leases", """
            lease {
              interface "eth0";
              fixed-address 10.0.0.5;
              option dhcp-client-identifier "old";
              expire never;
            }
            lease {
              interface "eth0";
              fixed-address 10.0.0.5;
              option subnet-mask 255.255.255.0;
              option dhcp-client-identifier 1:52:54:0:12:34:56;
              renew 3 2026/11/25 04:26:00;
              expire 3 2026/11/25 05:26:00;
            }
            lease {
              interface "eth1";
              fixed-address 10.0.0.6;
            }
            """);
        Assert.Equal(new LeaseFile("01525400123456", IsInForce: false), Find());
        Assert.Null(Find("10.0.0.6"));
        Assert.Null(Find(name: "eth1"));
    }

    [Fact]
    public void A_lease_without_an_end_is_one_although_the_kernel_does_not_tell()
    {
        _host.Write("/var/lib/dhclient/dhclient--eth0.lease", "lease {\n  fixed-address 10.0.0.5;\n  option dhcp-client-identifier \"web\";\n  expire never;\n}\n");
        Assert.Equal(new LeaseFile("776562", IsInForce: true), Find());
    }

    [Fact]
    public void NetworkManagers_own_client_is_known()
    {
        _host.Write("/var/lib/NetworkManager/internal-3c61c0b3-a3c2-4a5b-8f5a-1f2d3c4b5a69-eth0.lease", "# This is private data. Do not parse.\nADDRESS=10.0.0.5\n");
        Assert.Equal(new LeaseFile(null, IsInForce: false), Find());
    }

    [Theory]
    [InlineData("")]
    [InlineData("xyz")]
    [InlineData("1:22:333")]
    [InlineData("\"")]
    [InlineData("1")]
    public void A_name_that_is_none_is_left_out(string name)
    {
        _host.Write("/var/lib/dhcp/dhclient.leases", $"lease {{\n  fixed-address 10.0.0.5;\n  option dhcp-client-identifier {name};\n}}\n");
        Assert.Equal(new LeaseFile(null, IsInForce: false), Find());
    }

    public void Dispose() => _host.Dispose();
}
