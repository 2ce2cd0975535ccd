using System.Text;
using System.Text.Json;
using Netdump.Client;
using Netdump.Client.Configuration;
using Netdump.Client.Image;
using Netdump.Fuzz.Tests.Engine;
using Netdump.Server.Options;
using Netdump.Server.Store;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>The client's configuration: shell assignments and their values.</summary>
public sealed class ClientConfigurations : FuzzTarget
{
    public override int MaximumLength => 1024;

    public override IReadOnlyList<byte[]> Tokens =>
        [.. new[] { "NETDUMPADDR=", "NETDUMPPORT=", "DEV=", "NETLOGADDR=", "SYSLOGADDR=NONE\n", "export ", "'", "\"", "\\", "#", "10.0.0.1:6666", "[fe80::1%eth0]:1", "yes", "\n", "NETDUMPMACADDR=52:54:00:12:34:56" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds =>
    [
        Encoding.ASCII.GetBytes("# a comment\nNETDUMPADDR=\"10.0.0.1 [2001:db8::1]:7000\"\nexport DEV='eth0' LOCALPORT=6666\nCAPTURE_CMDLINE=a\\ b\n"),
        Encoding.ASCII.GetBytes("NETDUMPADDR=crash.example.org\nNETLOGADDR=NONE\nSYSLOGADDR=10.0.0.2\nPANIC_ON_OOPS=no\nFINAL_ACTION=halt\nIDLETIMEOUT=60\nEXTRA_MODULES=a,b\n"),
    ];

    public override bool IsExpected(Exception exception) => exception is ClientException && !exception.Message.Contains('\n', StringComparison.Ordinal);

    public override void Run(ReadOnlySpan<byte> input) => _ = ConfigurationReader.Read("netdump.conf", Encoding.UTF8.GetString(input));
}

/// <summary>The server's configuration: TOML, and the values of all settings.</summary>
public sealed class ServerConfigurations : FuzzTarget
{
    public override int MaximumLength => 1024;

    public override IReadOnlyList<byte[]> Tokens =>
        [.. Settings.All.Select(setting => Encoding.ASCII.GetBytes(setting.Key + " = ")), .. new[] { "[\"10.0.0.0/8\"]\n", "true\n", "\"any\"\n", "1\n", "[", "]", "\"\"\"", "'''", "{ a = 1 }", "\\u0000" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds =>
        [Encoding.ASCII.GetBytes("store = \"/srv/crash\"\nport = 6666\nallow = [\"10.0.0.0/8\", \"fe80::/10\"]\nsecure = \"auto\"\nending = \"exit\"\nmax_dumps = 5\nspace_check = true\nlog_level = 'debug'\n")];

    public override bool IsExpected(Exception exception) => exception is OptionException && !exception.Message.Contains('\n', StringComparison.Ordinal);

    public override void Run(ReadOnlySpan<byte> input) =>
        _ = Settings.Apply(new ServerOptions(), ConfigurationFile.Parse(Encoding.UTF8.GetString(input), "server.toml"), isUsage: false);
}

/// <summary>What the capture kernel finds in its image.</summary>
public sealed class CaptureManifests : FuzzTarget
{
    public override int MaximumLength => 2048;

    public override IReadOnlyList<byte[]> Tokens =>
        [.. new[] { "\"hostName\":", "\"servers\":[", "null", "{}", "[]", "\"address\":", "\"finalAction\":\"reboot\"" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds =>
    [
        Encoding.ASCII.GetBytes("""
            {"hostName":"h","bootId":"b","kernelRelease":"6.1","servers":[{"address":"10.0.0.1","port":6666,"name":"s","interface":0}],
            "devices":[{"kind":"Bond","name":"d","mac":null,"mtu":0,"below":[0],"card":{"mac":"m","busPath":"p"},"vlan":{"id":1,"protocol":33024},
            "bond":{"mode":4,"monitorInterval":100,"hashPolicy":1,"failOverMac":0,"primary":null,"lacp":null}}],
            "interfaces":[{"name":"i","device":0,"addresses":[],"routes":[],"neighbours":[],"lease":{"address":"a","clientId":null}}],
            "modules":[{"name":"m","path":"p","options":""}],"phyBindings":[],"localPort":6666,"giveUpSeconds":300,"finalAction":"Reboot","watchdog":false,"digest":false,"dumpLevel":null}
            """),
    ];

    public override bool IsExpected(Exception exception) => exception is JsonException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        CaptureManifest manifest = CaptureManifest.FromJson(input);
        Require(CaptureManifest.FromJson(manifest.ToJson()).HostName == manifest.HostName, "a manifest comes back as it was");
    }
}

/// <summary>The file <c>.session</c> and its page map.</summary>
public sealed class SessionFiles : FuzzTarget
{
    private readonly string _path = Path.Combine(Directory.CreateTempSubdirectory("netdump-fuzz-session-").FullName, ".session");

    public SessionFiles() => AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(Path.GetDirectoryName(_path)!, recursive: true);

    public override int MaximumLength => SessionFile.HeaderBytes + 2 * PageMap.BlockBytes + 16;

    public override IReadOnlyList<byte[]> Tokens =>
        [.. new[] { "\"PageCount\":", "\"Format\":2", "\"State\":\"Receiving\"", "\"Address\":\"", "4294967296", "-1", "null", "1e9" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            byte[] file = new byte[SessionFile.HeaderBytes + 2 * PageMap.BlockBytes];
            file.AsSpan(0, SessionFile.HeaderBytes).Fill((byte)'\n');
            JsonSerializer.SerializeToUtf8Bytes(
                new SessionHeader
                {
                    State = SessionState.Receiving,
                    Version = 5,
                    PageOffset = 1,
                    Address = "10.0.0.1",
                    Port = 6666,
                    Started = DateTimeOffset.UnixEpoch,
                    Machine = 62,
                    PageSize = 4096,
                    PageCount = 1000,
                    Extension = true,
                    Magic = "7",
                    TaskStruct = 1,
                    KernelHeader = true,
                    HeaderBytes = 4096,
                },
                SessionJson.Default.SessionHeader).CopyTo(file, 0);
            file.AsSpan(SessionFile.HeaderBytes, 100).Fill(0xff);
            yield return file;
        }
    }

    public override bool IsExpected(Exception exception) => exception is InvalidDataException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        File.WriteAllBytes(_path, input);
        SessionFile.Read(_path, out SessionHeader header, out PageMap received, out PageMap synced);
        Check(header, received);
        Check(header, synced);
        _ = header.Start;
    }

    private static void Check(SessionHeader header, PageMap map)
    {
        Require(map.Accounted <= map.PageCount && (map.PageCount == header.PageCount || map.PageCount == 0), "no more pages than there are");
        ulong set = 0;
        for (ulong page = 0; page < Math.Min(map.PageCount, 100_000); page++) set += map.Contains(page) ? 1UL : 0;
        Require(map.PageCount > 100_000 || set == map.Accounted, "the count is that of the bits");
    }
}

/// <summary>Ranges of pages, added in any order.</summary>
public sealed class PageMaps : FuzzTarget
{
    public override int MaximumLength => 512;

    public override long MaximumAllocation => 100 << 20;

    public override IEnumerable<byte[]> Seeds => [[100, 0, 0, 1, 0, 0, 5, 0, 0, 3, 1, 0, 200, 0, 0]];

    public override void Run(ReadOnlySpan<byte> input)
    {
        if (input.Length < 3) return;
        ulong pages = Number(input) % 200_000;
        PageMap map = new(pages);
        HashSet<ulong> expected = [];
        for (int at = 3, steps = 0; at + 6 <= input.Length && steps < 8; at += 6, steps++)
        {
            ulong first = Number(input[at..]), count = Number(input[(at + 3)..]) % 5000;
            ulong added = 0;
            for (ulong page = first; page < first + count && page < pages; page++) added += expected.Add(page) ? 1UL : 0;
            Require(map.AddRange(first, count) == added, "the count of pages that were new");
        }

        Require(map.Accounted == (ulong)expected.Count, "the sum of them");
        foreach (ulong page in expected) Require(map.Contains(page), "what was added is there");
        Require(map.IsComplete == (map.Accounted == pages), "complete is when all are there");
    }

    private static ulong Number(ReadOnlySpan<byte> bytes) => bytes[0] | (ulong)bytes[1] << 8 | (ulong)bytes[2] << 16;
}

/// <summary>The console's journal, with a torn end.</summary>
public sealed class ConsoleJournals : FuzzTarget
{
    public override IReadOnlyList<byte[]> Tokens => [Journal.Signature.ToArray(), [5, 0, 0, 0, 2, 0]];

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            System.Buffers.ArrayBufferWriter<byte> journal = new();
            System.Buffers.BuffersExtensions.Write(journal, Journal.Signature);
            Journal.Write(journal, JournalKind.Boot, 0, 1, 2, "boot"u8);
            Journal.Write(journal, JournalKind.Extended, 6666, 3, 0, "6,1,1,-;text\n"u8);
            Journal.Write(journal, JournalKind.Text, 6666, 4, 0, "text\n"u8);
            yield return journal.WrittenSpan.ToArray();
        }
    }

    public override void Run(ReadOnlySpan<byte> input)
    {
        List<JournalEntry> entries = Journal.Parse(input.ToArray());
        Require(entries.Sum(entry => entry.Payload.Length + 24) <= input.Length, "entries lie in their file");
    }
}
