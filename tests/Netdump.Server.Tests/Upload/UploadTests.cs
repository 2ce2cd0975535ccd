using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Netdump.Protocols.Upload;
using Netdump.Vmcore.Output;

namespace Netdump.Server.Tests.Upload;

/// <summary>The whole way of a crash over the secure port, and its turns.</summary>
public sealed class UploadTests
{
    private const int Block = 100_000;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static byte[] RandomBytes(int length)
    {
        byte[] bytes = new byte[length];
        new Random(7).NextBytes(bytes);
        return bytes;
    }

    /// <summary>A flattened stream, and the file it stands for.</summary>
    private static (byte[] Stream, byte[] File) Flattened(int length)
    {
        byte[] file = RandomBytes(length);
        MemoryStream stream = new();
        using (FlattenedOutput output = new(stream, leaveOpen: true))
        {
            output.Write(300_000, file.AsSpan(300_000, length - 300_000));
            output.Write(0, file.AsSpan(0, 200_000));
            file.AsSpan(200_000, 100_000).Clear();
            output.Write(100, file.AsSpan(100, 10));
            output.Finish();
        }

        return (stream.ToArray(), file);
    }

    [Fact]
    public async Task A_crash_is_announced_its_log_and_tasks_and_vmcore_come_and_it_is_closed()
    {
        using UploadLab lab = new();
        lab.Server.Hook("netdump-crash", "echo \"$@\" >> crash-hook");
        lab.Server.Hook("netdump-reboot", "echo \"$@\" >> reboot-hook");
        Guid boot = Guid.NewGuid();
        using UploadClient client = lab.ConnectLeaf(boot);
        (byte[] stream, byte[] file) = Flattened(1_000_000);

        (CrashAnswer answer, string path) = await client.AnnounceAsync(new CrashAnnouncement
        {
            BootId = boot,
            Title = "oops: a title",
            Release = "6.12.0",
            MemoryBytes = 1 << 30,
            DumpLevel = 31,
            Program = "a test",
            Signature = new AnnouncedSignature(1, "0123456789abcdef"),
        });
        Assert.Equal((WantedVmcore.Filtered, 31, null, null), (answer.Vmcore, answer.DumpLevel, answer.Refusal, answer.VmcoreOffset));
        await client.PutAsync($"{path}/log", "6,5,1000000,-;first\n6,6,2000000,-;sec\\x6fnd\n SUBSYSTEM=x\n4,7,3000000,-;third\n", UploadPaths.RecordsType);
        await client.PutAsync($"{path}/tasks", "sysrq: Show State\ntask list\n", "text/plain");
        await client.CreateAsync(path);
        Assert.Equal((0, null), await client.HeadAsync(path));
        CrashDone done = await client.SendAllAsync(path, stream, Block);
        Assert.Equal((stream.Length, null), await client.HeadAsync(path));
        CrashResult result = await client.FinishAsync(path, done with { Notes = new Dictionary<string, string> { ["pages"] = "7" } });

        Assert.Equal(("complete", answer.Crash), (result.Vmcore, result.Crash));
        string crash = lab.Crash;
        Assert.Equal(answer.Crash, Path.GetFileName(crash));
        Assert.Equal(file, await File.ReadAllBytesAsync(Path.Combine(crash, "vmcore"), Cancel));
        Assert.Equal(
            "[    1.000000] first\n[    2.000000] second\n[    3.000000] third\nsysrq: Show State\ntask list\n", await File.ReadAllTextAsync(Path.Combine(crash, "log"), Cancel));
        Assert.Equal(["log", "upload.json", "vmcore"], Directory.GetFiles(crash).Select(Path.GetFileName).Order());
        JsonElement record = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(crash, "upload.json"), Cancel)).RootElement;
        Assert.Equal(
            ("web1.example", "oops: a title", "complete", 1_000_000L, "7"),
            (record.GetProperty("host").GetString(), record.GetProperty("announcement").GetProperty("title").GetString(), record.GetProperty("vmcore").GetString(),
                record.GetProperty("bytes").GetInt64(), record.GetProperty("notes").GetProperty("pages").GetString()));
        lab.Server.WaitFor(() => File.Exists(Path.Combine(lab.Server.Options.Store, "reboot-hook")));
        Assert.Equal($"127.0.0.1 {crash}\n", await File.ReadAllTextAsync(Path.Combine(lab.Server.Options.Store, "crash-hook"), Cancel));
        Assert.Equal($"127.0.0.1 {crash}\n", await File.ReadAllTextAsync(Path.Combine(lab.Server.Options.Store, "reboot-hook"), Cancel));

        // A client that lost the answer asks again and gets the same; what it sends on is refused.
        Assert.Equal(result, await client.FinishAsync(path, done));
        (CrashAnswer again, _) = await client.AnnounceAsync(new CrashAnnouncement { BootId = boot }, HttpStatusCode.OK);
        Assert.Equal((answer.Crash, true, true, (long?)stream.Length), (again.Crash, again.HasLog, again.HasTasks, again.VmcoreOffset));
        await client.RefusedAsync(client.PatchAsync(path, stream.Length, new byte[1]), HttpStatusCode.Conflict, "over");
        await client.RefusedAsync(client.SendAsync(HttpMethod.Put, $"{path}/log", new StringContent("x")), HttpStatusCode.Conflict, "over");
        Assert.Equal(2, lab.Refused("over"));
    }

    [Fact]
    public async Task A_file_of_any_format_with_a_declared_length_is_complete_with_its_last_byte()
    {
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        byte[] dump = RandomBytes(500_000);
        (CrashAnswer answer, string path) = await client.AnnounceAsync(new CrashAnnouncement { Id = Guid.NewGuid() });
        Assert.Equal((WantedVmcore.Full, null), (answer.Vmcore, answer.DumpLevel));
        await client.CreateAsync(path, dump.Length);
        using (HttpResponseMessage first = await client.PatchAsync(path, 0, dump.AsMemory(0, 400_000)))
            Assert.Equal("400000", first.Headers.GetValues("Upload-Offset").Single());
        Assert.Equal((400_000, 500_000), await client.HeadAsync(path));
        Assert.False(File.Exists(Path.Combine(lab.Crash, "vmcore")));
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData(dump.AsSpan(400_000));
        byte[] sha1 = hash.GetHashAndReset();
        using (HttpResponseMessage last = await client.PatchAsync(path, 400_000, dump.AsMemory(400_000), $"sha1 {Convert.ToBase64String(sha1)}"))
            Assert.Equal(HttpStatusCode.NoContent, last.StatusCode);
        Assert.Equal(dump, await File.ReadAllBytesAsync(Path.Combine(lab.Crash, "vmcore"), Cancel));
        Assert.Equal((500_000, 500_000), await client.HeadAsync(path));
        Assert.Equal("complete", (await client.FinishAsync(path, new CrashDone())).Vmcore);
    }

    [Fact]
    public async Task A_block_with_a_wrong_digest_is_not_kept_and_one_at_another_offset_neither()
    {
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        (_, string path) = await client.AnnounceAsync();
        await client.RefusedAsync(client.PatchAsync(path, 0, RandomBytes(10)), HttpStatusCode.NotFound, "no-upload");
        await client.CreateAsync(path);
        byte[] block = RandomBytes(3_000_000);
        string digest = UploadClient.Sha256(block);
        block[2_999_999] ^= 1;
        await client.RefusedAsync(client.PatchAsync(path, 0, block, digest), (HttpStatusCode)460, "digest");
        Assert.Equal((0, null), await client.HeadAsync(path));
        Assert.Equal(0, new FileInfo(Path.Combine(lab.Crash, "vmcore-incomplete")).Length);
        await client.RefusedAsync(client.PatchAsync(path, 1, block), HttpStatusCode.Conflict, "wrong-offset");
        block[2_999_999] ^= 1;
        using (HttpResponseMessage response = await client.PatchAsync(path, 0, block, digest))
            Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);

        CrashDone done = new() { Bytes = block.Length, Blocks = 1, Digest = Convert.ToBase64String(SHA256.HashData(block)) };
        await client.RefusedAsync(client.DoneAsync(path, done), (HttpStatusCode)460, "digest"); // over the blocks' digests it is, not over the bytes
        done = done with { Digest = Convert.ToBase64String(SHA256.HashData(SHA256.HashData(block))) };
        await client.RefusedAsync(client.DoneAsync(path, done with { Bytes = 5 }), HttpStatusCode.Conflict, "unfinished");
        await client.RefusedAsync(client.DoneAsync(path, done with { Blocks = 2 }), (HttpStatusCode)460, "digest");
        Assert.Equal("complete", (await client.FinishAsync(path, done)).Vmcore);
    }

    [Fact]
    public async Task A_block_that_goes_back_changes_nothing_that_counts_before_its_digest_is_right()
    {
        byte[] whole = RandomBytes(7_000_000), first = [.. whole];
        first.AsSpan(0, 5000).Clear();
        MemoryStream flat = new();
        long[] ends = new long[3];
        using (FlattenedOutput output = new(flat, leaveOpen: true))
        {
            output.Write(0, first.AsSpan(0, 3_000_000));
            ends[0] = flat.Length;
            output.Write(3_000_000, first.AsSpan(3_000_000, 2_500_000));
            output.Write(0, whole.AsSpan(0, 5000)); // within the second block, behind pieces that are written at once
            output.Write(5_500_000, whole.AsSpan(5_500_000));
            ends[1] = flat.Length;
            output.Finish();
        }

        byte[] stream = flat.ToArray();
        ends[2] = stream.Length;
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        (_, string path) = await client.AnnounceAsync();
        await client.CreateAsync(path);
        long at = 0;
        foreach (long end in ends)
        {
            byte[] block = stream[(int)at..(int)end];
            if (at == ends[0])
            {
                byte[] wrong = [.. block];
                wrong[^1] ^= 1;
                await client.RefusedAsync(client.PatchAsync(path, at, wrong, UploadClient.Sha256(block)), (HttpStatusCode)460, "digest");
                Assert.Equal(first[..3_000_000], await File.ReadAllBytesAsync(Path.Combine(lab.Crash, "vmcore-incomplete"), Cancel));
            }

            using HttpResponseMessage response = await client.PatchAsync(path, at, block, UploadClient.Sha256(block));
            Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
            at = end;
        }

        Assert.Equal("complete", (await client.FinishAsync(path, new CrashDone { Bytes = at })).Vmcore);
        Assert.Equal(whole, await File.ReadAllBytesAsync(Path.Combine(lab.Crash, "vmcore"), Cancel));
    }

    [Fact]
    public async Task An_ended_upload_is_gone_and_what_came_of_it_stays()
    {
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        (_, string path) = await client.AnnounceAsync();
        await client.CreateAsync(path, 1000);
        (await client.PatchAsync(path, 0, RandomBytes(700))).Dispose();
        using (HttpResponseMessage ended = await client.SendAsync(HttpMethod.Delete, $"{path}/vmcore"))
            Assert.Equal(HttpStatusCode.NoContent, ended.StatusCode);
        await client.RefusedAsync(client.PatchAsync(path, 700, RandomBytes(300)), HttpStatusCode.Gone, "ended");
        await client.RefusedAsync(client.SendAsync(HttpMethod.Delete, $"{path}/vmcore"), HttpStatusCode.Gone, "ended");
        await client.RefusedAsync(client.SendAsync(HttpMethod.Post, $"{path}/vmcore", null, ("Upload-Length", "1000")), HttpStatusCode.Gone, "ended");
        using (HttpResponseMessage head = await client.SendAsync(HttpMethod.Head, $"{path}/vmcore"))
            Assert.Equal(HttpStatusCode.Gone, head.StatusCode);
        Assert.Equal("incomplete", (await client.FinishAsync(path, new CrashDone())).Vmcore);
        Assert.Equal(RandomBytes(700), await File.ReadAllBytesAsync(Path.Combine(lab.Crash, "vmcore-incomplete"), Cancel));
    }

    [Fact]
    public async Task The_length_may_come_with_the_last_block_and_nothing_goes_beyond_it()
    {
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        (_, string path) = await client.AnnounceAsync();
        await client.CreateAsync(path);
        (await client.PatchAsync(path, 0, RandomBytes(700))).Dispose();
        await client.RefusedAsync(client.PatchAsync(path, 700, RandomBytes(300), length: 900), HttpStatusCode.RequestEntityTooLarge, "too-large");
        (await client.PatchAsync(path, 700, RandomBytes(100), length: 1000)).Dispose();
        await client.RefusedAsync(client.PatchAsync(path, 800, RandomBytes(300)), HttpStatusCode.RequestEntityTooLarge, "too-large");
        await client.RefusedAsync(client.PatchAsync(path, 800, RandomBytes(100), length: 2000), HttpStatusCode.BadRequest, "bad-message");
        (await client.PatchAsync(path, 800, RandomBytes(200))).Dispose();
        Assert.Equal(1000, new FileInfo(Path.Combine(lab.Crash, "vmcore")).Length);
    }

    [Fact]
    public async Task A_flattened_stream_that_lies_is_refused_before_anything_of_it_is_written()
    {
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        (byte[] stream, _) = Flattened(1_000_000);
        (_, string path) = await client.AnnounceAsync(new CrashAnnouncement { MemoryBytes = 1 << 20 });
        await client.CreateAsync(path);
        byte[] bad = [.. stream.AsSpan(0, 4096 + 16 + 50)];
        bad[4096] = 1; // 2^56
        UploadProblem problem = await client.RefusedAsync(client.PatchAsync(path, 0, bad, UploadClient.Sha256(bad)), HttpStatusCode.BadRequest, "bad-message");
        Assert.Contains("dump offset", problem.Title, StringComparison.Ordinal);
        bad[4096] = 0;
        bad[4096 + 3] = 1; // 2^32, four times what the announced memory allows
        await client.RefusedAsync(client.PatchAsync(path, 0, bad, UploadClient.Sha256(bad)), HttpStatusCode.BadRequest, "bad-message");
        await client.RefusedAsync(client.PatchAsync(path, 0, bad), HttpStatusCode.BadRequest, "bad-message");
        Assert.Equal(0, new FileInfo(Path.Combine(lab.Crash, "vmcore-incomplete")).Length);
    }

    [Fact]
    public async Task A_flattened_stream_without_its_end_stays_incomplete()
    {
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        (byte[] stream, _) = Flattened(1_000_000);
        (_, string path) = await client.AnnounceAsync();
        await client.CreateAsync(path);
        CrashDone done = await client.SendAllAsync(path, stream.AsMemory(0, stream.Length - 16), Block);
        Assert.Equal("incomplete", (await client.FinishAsync(path, done)).Vmcore);
        Assert.True(File.Exists(Path.Combine(lab.Crash, "vmcore-incomplete")));
    }

    [Fact]
    public async Task The_log_begins_with_what_the_console_said_and_numbers_are_there_once()
    {
        using UploadLab lab = new();
        using (var socket = lab.Server.Connect())
        {
            socket.Send("6,3,900000,-;on the wire before\n"u8);
            socket.Send("6,5,1000000,-;first\n"u8);
            lab.Server.WaitForDatagrams(2);
        }

        using UploadClient client = lab.Connect();
        (_, string path) = await client.AnnounceAsync();
        await client.PutAsync($"{path}/log", "6,5,1000000,-;first\n6,6,2000000,-;second\n", UploadPaths.RecordsType);
        await client.PutAsync($"{path}/log", "6,5,1000000,-;first\n6,6,2000000,-;second\n6,7,3000000,-;third\n", UploadPaths.RecordsType);
        await client.FinishAsync(path, new CrashDone());
        Assert.Equal(
            "[    0.900000] on the wire before\n[    1.000000] first\n[    2.000000] second\n[    3.000000] third\n", await File.ReadAllTextAsync(Path.Combine(lab.Crash, "log"), Cancel));
    }

    [Fact]
    public async Task A_log_in_text_is_kept_as_it_is()
    {
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        (_, string path) = await client.AnnounceAsync();
        const string Text = "[    1.000000] first\n[    1.000000] first\nwithout time\n[    2.500000] second\n";
        await client.PutAsync($"{path}/log", Text, "text/plain");
        await client.FinishAsync(path, new CrashDone());
        Assert.Equal(Text, await File.ReadAllTextAsync(Path.Combine(lab.Crash, "log"), Cancel));
    }

    [Fact]
    public async Task A_server_that_is_started_again_goes_on_where_it_was()
    {
        using UploadLab lab = new();
        Guid boot = Guid.NewGuid();
        (byte[] stream, byte[] file) = Flattened(1_000_000);
        string path;
        using (UploadClient client = lab.ConnectLeaf(boot))
        {
            (_, path) = await client.AnnounceAsync();
            await client.PutAsync($"{path}/log", "6,5,1000000,-;first\n", UploadPaths.RecordsType);
            await client.CreateAsync(path);
            (await client.PatchAsync(path, 0, stream.AsMemory(0, 4096 + 7))).Dispose();
            (await client.PatchAsync(path, 4096 + 7, stream.AsMemory(4096 + 7, 300_000))).Dispose();
        }

        lab.Server.Restart();
        using UploadClient later = lab.ConnectLeaf(boot);
        (CrashAnswer answer, string same) = await later.AnnounceAsync(expected: HttpStatusCode.OK);
        Assert.Equal((path, true, false, (long?)304_103), (same, answer.HasLog, answer.HasTasks, answer.VmcoreOffset));
        await later.PutAsync($"{path}/tasks", "tasks\n", "text/plain");
        (await later.PatchAsync(path, 304_103, stream.AsMemory(304_103), length: stream.Length)).Dispose();
        Assert.Equal("complete", (await later.FinishAsync(path, new CrashDone { Bytes = stream.Length })).Vmcore);
        Assert.Equal(file, await File.ReadAllBytesAsync(Path.Combine(lab.Crash, "vmcore"), Cancel));
        Assert.Equal("[    1.000000] first\ntasks\n", await File.ReadAllTextAsync(Path.Combine(lab.Crash, "log"), Cancel));

        lab.Server.Restart();
        using UploadClient last = lab.ConnectLeaf(boot);
        (answer, _) = await last.AnnounceAsync(expected: HttpStatusCode.OK);
        Assert.Equal((long?)stream.Length, answer.VmcoreOffset);
        Assert.Single(lab.Server.Crashes);
    }

    [Fact]
    public async Task A_host_asks_what_the_server_knows_of_it()
    {
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        HostStanding standing = (await client.Http.GetFromJsonAsync(UploadPaths.Host, UploadJson.Default.HostStanding, Cancel))!;
        Assert.Equal(("web1.example", null, null), (standing.Name, standing.LastConsole, standing.LastDump));
        Assert.StartsWith("netdump-server ", standing.Server, StringComparison.Ordinal);
        Assert.InRange(standing.FreeBytes, 1u, ulong.MaxValue);

        using (var socket = lab.Server.Connect())
            socket.Send("6,3,900000,-;hello\n"u8);
        lab.Server.WaitFor(() => Directory.Exists(Path.Combine(lab.Server.Options.Store, "console", "127.0.0.1")));
        Guid boot = Guid.NewGuid();
        (_, string path) = await client.AnnounceAsync(new CrashAnnouncement { BootId = boot, Title = "gone" });
        await client.CreateAsync(path);
        (await client.PatchAsync(path, 0, Encoding.ASCII.GetBytes("a dump"), length: 6)).Dispose();
        await client.FinishAsync(path, new CrashDone());
        standing = (await client.Http.GetFromJsonAsync(UploadPaths.Host, UploadJson.Default.HostStanding, Cancel))!;
        Assert.InRange(standing.Now - standing.LastConsole!.Value, TimeSpan.Zero, TimeSpan.FromMinutes(1));
        Assert.Equal((Path.GetFileName(path), 6L, (Guid?)boot, "gone"), (standing.LastDump!.Crash, standing.LastDump.Bytes, standing.LastDump.BootId, standing.LastDump.Title));
    }
}
