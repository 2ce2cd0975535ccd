using System.IO.Compression;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Netdump.Client.Image;
using Netdump.Client.Tests.Host;

namespace Netdump.Client.Tests.Image;

public sealed class CaptureImageTests : IDisposable
{
    private readonly FakeHost _host = new();

    private static byte[] Gzip(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest)) gzip.Write(bytes);
        return packed.ToArray();
    }

    private static byte[] Zstd(byte[] bytes)
    {
        using var compressor = new ZstdSharp.Compressor();
        return compressor.Wrap(bytes).ToArray();
    }

    internal static CaptureManifest Manifest => new()
    {
        HostName = "web-17",
        BootId = "b",
        KernelRelease = "6.1",
        Servers = [new CaptureServer("10.0.2.2", 6666, "dump.example", 0)],
        Devices =
        [
            new CaptureDevice { Kind = CaptureDeviceKind.Card, Name = "eno1", Mac = null, Mtu = 0, Below = [], Card = new CaptureCard("52:54:00:12:34:56", "/sys/devices/x"), Vlan = null, Bond = null },
            new CaptureDevice
            {
                Kind = CaptureDeviceKind.Bond,
                Name = "bond0",
                Mac = "52:54:00:12:34:56",
                Mtu = 9000,
                Below = [0],
                Card = null,
                Vlan = null,
                Bond = new CaptureBond(4, 100, 1, 0, 0, new CaptureLacp(1, true, 65535, 3, null)),
            },
            new CaptureDevice { Kind = CaptureDeviceKind.Vlan, Name = "bond0.120", Mac = null, Mtu = 0, Below = [1], Card = null, Vlan = new CaptureVlan(120, 0x8100), Bond = null },
        ],
        Interfaces =
        [
            new CaptureInterface
            {
                Name = "bond0.120",
                Device = 2,
                Addresses = [new CaptureAddress("10.0.2.15", 24)],
                Routes = [new CaptureRoute("0.0.0.0", 0, "10.0.2.2", null)],
                Neighbours = [],
                Lease = new CaptureLease("10.0.2.15", "01525400123456"),
            },
        ],
        Modules = [new CaptureModule("nic", "/lib/modules/6.1/nic.ko", "a=1")],
        PhyBindings = [new PhyBinding("0000:00", "Realtek")],
        Classic = true,
        LocalPort = 6666,
        GiveUpSeconds = 300,
        FinalAction = FinalAction.Halt,
        Watchdog = false,
        Digest = false,
        DumpLevel = 31,
    };

    [Fact]
    public void The_manifest_comes_back_from_its_json()
    {
        string json = System.Text.Encoding.UTF8.GetString(Manifest.ToJson());
        Assert.Contains("\"finalAction\": \"Halt\"", json);
        Assert.Equivalent(Manifest, CaptureManifest.FromJson(Manifest.ToJson()), strict: true);
    }

    [Theory]
    [InlineData("giveUpSeconds", null)]
    [InlineData("modules", null)]
    [InlineData("modules", "null")]
    [InlineData("servers", "[{\"port\": 1}]")]
    [InlineData("interfaces", "[{\"name\": \"eth0\"}]")]
    [InlineData("devices", null)]
    [InlineData("devices", "[{\"name\": \"eth0\"}]")]
    public void A_manifest_that_lacks_a_part_is_none(string key, string? value)
    {
        JsonObject json = JsonNode.Parse(Manifest.ToJson())!.AsObject();
        json.Remove(key);
        if (value is not null) json[key] = JsonNode.Parse(value);
        Assert.Throws<JsonException>(() => CaptureManifest.FromJson(System.Text.Encoding.UTF8.GetBytes(json.ToJsonString())));
    }

    [Fact]
    public void The_image_holds_program_libraries_modules_firmware_and_manifest()
    {
        byte[] module = TinyElf.Module("firmware=nic/a.bin", "firmware=nic/absent.bin", "softdep=pre: helper", "name=nic"), helper = TinyElf.Module("name=helper");
        string tree = _host.Root + "/lib/modules/6.1";
        _host.Write("/lib/modules/6.1/modules.dep", "kernel/nic.ko.gz:\nkernel/helper.ko.zst:\n");
        _host.Write("/lib/modules/6.1/kernel/nic.ko.gz", Gzip(module));
        _host.Write("/lib/modules/6.1/kernel/helper.ko.zst", Zstd(helper));
        _host.Write("/lib/firmware/nic/a.bin.zst", Zstd([1, 2, 3]));
        string program = _host.Write("/usr/sbin/netdump", [7, 7]), library = _host.Write("/usr/lib/libc.so.6", [8]);

        DriverSet drivers = DriverSet.Collect(_host.Files, new ModuleTree(tree), "6.1", ["nic"], Assert.Fail);
        Assert.Equal(["helper", "nic"], drivers.Modules.Select(m => m.Name)); // the soft dependency is told by the module alone
        var libraries = new ProgramFiles([new ImageFile("/usr/lib/libc.so.6", library)], [("/lib64/ld.so", "/usr/lib/ld.so")]);
        using var output = new MemoryStream();
        long unpacked = new CaptureImage(program, libraries, drivers, new ImageFile(StaticShell.Program, library), Manifest).Write(output);

        output.Position = 0;
        using var gzip = new GZipStream(output, CompressionMode.Decompress);
        using var archive = new MemoryStream();
        gzip.CopyTo(archive);
        Assert.Equal(archive.Length, unpacked);
        Dictionary<string, CpioWriterTests.Entry> entries = CpioWriterTests.Read(archive.ToArray()).ToDictionary(e => e.Name);
        Assert.Equal([7, 7], entries["init"].Data);
        Assert.Equal(0x81EDu, entries["init"].Mode);
        Assert.Equal([8], entries["usr/lib/libc.so.6"].Data);
        Assert.Equal([8], entries["bin/busybox"].Data);
        Assert.Equal("/bin/busybox"u8.ToArray(), entries["bin/sh"].Data);
        Assert.Equal("/usr/lib/ld.so"u8.ToArray(), entries["lib64/ld.so"].Data);
        Assert.Equal(module, entries["lib/modules/6.1/kernel/nic.ko"].Data);
        Assert.Equal(helper, entries["lib/modules/6.1/kernel/helper.ko"].Data);
        Assert.Equal([1, 2, 3], entries["lib/firmware/nic/a.bin"].Data);
        Assert.Equal(Manifest.ToJson(), entries["etc/netdump-capture.json"].Data);
        Assert.Equal((5u, 1u), (entries["dev/console"].Major, entries["dev/console"].Minor));
        Assert.Equal((1u, 3u), (entries["dev/null"].Major, entries["dev/null"].Minor));
        foreach (string directory in new[] { "proc", "sys", "run", "tmp" }) Assert.Equal(0x41EDu, entries[directory].Mode);
        Assert.DoesNotContain("lib/firmware/nic/absent.bin", entries.Keys);
    }

    [Fact]
    public void The_shell_is_a_busybox_that_needs_no_libraries()
    {
        _host.Write("/bin/busybox", TinyElf.Program("/lib64/ld.so.2", null, "libc.so.6"));
        Assert.Contains("busybox-static", Assert.Throws<ClientException>(() => StaticShell.Find(_host.Files)).Message);
        string found = _host.Write("/usr/bin/busybox", TinyElf.Make());
        Assert.Equal(new ImageFile("/bin/busybox", found), StaticShell.Find(_host.Files));
    }

    [Fact]
    public void A_damaged_module_is_named()
    {
        string path = _host.Write("/m.ko.xz", [1, 2, 3, 4]);
        string message = Assert.Throws<ClientException>(() => PackedFile.Read(path)).Message;
        Assert.Contains("m.ko.xz", message);
        Assert.Throws<ClientException>(() => PackedFile.Read(_host.Write("/m.ko.zst", [1, 2, 3, 4])));
        Assert.Throws<ClientException>(() => PackedFile.Read(_host.Write("/m.ko.gz", [1, 2, 3, 4])));
    }

    [Fact]
    public void Xz_is_read()
    {
        // "netdump\n" by xz 5.4 with --check=crc32, as the kernel's modules are packed
        byte[] packed = Convert.FromHexString(XzOfNetdump);
        Assert.Equal("netdump\n"u8.ToArray(), PackedFile.Read(_host.Write("/x.ko.xz", packed)));
    }

    [Fact]
    public void Libraries_are_those_the_program_links_to_and_no_others()
    {
        var files = new Dictionary<string, byte[]>
        {
            ["/usr/lib/libc-2.31.so"] = TinyElf.Program(null, "libc.so.6", "ld.so.2"),
            ["/usr/lib/ld.so.2"] = TinyElf.Program(null, "ld.so.2"),
            ["/usr/lib/libnss_dns.so.2"] = TinyElf.Program(null, "libnss_dns.so.2", "libresolv.so.2"),
        };
        string maps = "55-56 r-xp 0 0:0 1    /usr/sbin/netdump\n7f-80 r-xp 0 0:0 1    /usr/lib/libc-2.31.so\n7f-80 rw-p 0 0:0 1    /usr/lib/libc-2.31.so\n" +
            "7f-80 r-xp 0 0:0 1    /usr/lib/ld.so.2 (deleted)\n7f-80 r-xp 0 0:0 1    /usr/lib/libnss_dns.so.2\n7f-80 r--p 0 0:0 0    [vdso]\n7f-80 rw-p 0 0:0 0 \n";
        ProgramFiles found = ProgramFiles.Of(TinyElf.Program("/lib64/ld.so.2", null, "libc.so.6"), maps, p => files[p]);
        Assert.Equal(["/usr/lib/ld.so.2", "/usr/lib/libc-2.31.so"], found.Files.Select(f => f.Path));
        Assert.Equal([("/lib64/ld.so.2", "/usr/lib/ld.so.2"), ("/usr/lib/libc.so.6", "libc-2.31.so")], found.Links);
        Assert.Contains("libm.so.6", Assert.Throws<ClientException>(() => ProgramFiles.Of(TinyElf.Program(null, null, "libm.so.6"), maps, p => files[p])).Message);
    }

    [Fact]
    public void Wrong_elf_files_have_no_sections_and_never_throw()
    {
        byte[] good = TinyElf.Module("a=1", "a=2", "b=3", "noequals", "=x");
        Assert.Equal(["1", "2"], new ElfObject(good).ModuleInfo("a"));
        Assert.Empty(new ElfObject(good).ModuleInfo("c"));
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Byte, Gen.Int[0, good.Length]).Array[1, 4].Sample(changes =>
        {
            byte[] bad = [.. good];
            foreach ((int at, byte value, int _) in changes) bad[at] = value;
            Touch(bad);
            Touch(bad[..changes[0].Item3]);
        });
        Gen.Byte.Array[0, 200].Sample(Touch);

        static void Touch(byte[] file)
        {
            var elf = new ElfObject(file);
            _ = elf.ModuleInfo("firmware");
            _ = (elf.Interpreter, elf.Soname, elf.Needed);
        }
    }

    public void Dispose() => _host.Dispose();

    private const string XzOfNetdump = "fd377a585a0000016922de360200210116000000742fe5a30100076e657464756d700a00cd08c85600011c0844602ac89042990d010000000001595a";
}
