using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Http;
using Netdump.Protocols.Upload;
using Netdump.Server.Enrolment;
using Netdump.Server.Receivers.Upload;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Upload;

/// <summary>Space, policy, silence, and enrolment by a token.</summary>
public sealed class UploadLifeTests
{
    private static readonly AnnouncedSignature Signature = new(1, "0123456789abcdef");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Too_little_space_is_answered_and_the_log_kept_and_the_dump_comes_when_there_is_room()
    {
        long free = 1L << 40;
        using UploadLab lab = new(uploads: c => c with { FreeSpace = _ => Volatile.Read(ref free) });
        lab.Server.Hook("netdump-nospace", "echo \"$@\" >> nospace-hook");
        string asked = Path.Combine(lab.Server.Options.Store, "nospace-hook");
        using UploadClient client = lab.Connect();
        Volatile.Write(ref free, 100 << 20);
        Guid id = Guid.NewGuid();
        CrashAnnouncement announcement = new() { Id = id, VmcoreBytes = 200 << 20, Title = "t" };
        (CrashAnswer answer, string path) = await client.AnnounceAsync(announcement);
        Assert.Equal((WantedVmcore.None, 507), (answer.Vmcore, answer.Refusal));
        Assert.Contains("100.0 MiB free", answer.Reason, StringComparison.Ordinal);
        Assert.Equal($"127.0.0.1 {lab.Crash}\n", await File.ReadAllTextAsync(asked, Cancel));
        await client.PutAsync($"{path}/log", "6,5,1000000,-;first\n", UploadPaths.RecordsType);
        UploadProblem problem = await client.RefusedAsync(
            client.SendAsync(HttpMethod.Post, $"{path}/vmcore", null, ("Upload-Defer-Length", "1")), HttpStatusCode.InsufficientStorage, "no-space");
        Assert.Contains("MiB are needed", problem.Title, StringComparison.Ordinal);

        // Room is made; it is used up in the middle, and made again.
        Volatile.Write(ref free, 1L << 40);
        (answer, _) = await client.AnnounceAsync(announcement, HttpStatusCode.OK);
        Assert.Equal((WantedVmcore.Full, null, null), (answer.Vmcore, answer.Refusal, answer.Reason));
        await client.CreateAsync(path);
        byte[] block = new byte[100_000];
        (await client.PatchAsync(path, 0, block, UploadClient.Sha256(block))).Dispose();
        Volatile.Write(ref free, 10 << 20);
        await client.RefusedAsync(client.PatchAsync(path, 100_000, block, UploadClient.Sha256(block)), HttpStatusCode.InsufficientStorage, "no-space");
        await client.RefusedAsync(client.PatchAsync(path, 100_000, block), HttpStatusCode.InsufficientStorage, "no-space");
        Assert.Equal(100_000, (await client.HeadAsync(path)).Offset);
        Assert.Equal(2, (await File.ReadAllLinesAsync(asked, Cancel)).Length); // once for each time that it was short
        Volatile.Write(ref free, 1L << 40);
        (await client.PatchAsync(path, 100_000, block, UploadClient.Sha256(block))).Dispose();
        Assert.Equal("complete", (await client.FinishAsync(path, new CrashDone { Bytes = 200_000 })).Vmcore);
        Assert.Equal(200_000, new FileInfo(Path.Combine(lab.Crash, "vmcore")).Length);
    }

    [Fact]
    public async Task Enough_dumps_of_one_signature_are_enough_for_a_day()
    {
        // What the analysis would write.
        using UploadLab lab = new(o =>
        {
            string program = Path.Combine(Directory.GetParent(o.Store)!.FullName, "analyser");
            ExecutableFile.Write(program, $"#!/bin/sh\necho '{{\"title\":\"t\",\"signature\":{{\"version\":1,\"id\":\"{Signature.Id}\"}}}}' > \"$2/report.json\"; echo done\n");
            return o with { Analyser = program, SameDumps = 2 };
        });
        using UploadClient client = lab.Connect();
        async Task<CrashAnswer> CrashAsync(AnnouncedSignature signature, bool finish)
        {
            (CrashAnswer answer, string path) = await client.AnnounceAsync(new CrashAnnouncement { Title = "t", Signature = signature, DumpLevel = 31 });
            if (answer.Vmcore == WantedVmcore.None || !finish)
                return answer;
            await client.CreateAsync(path);
            (await client.PatchAsync(path, 0, new byte[1000], length: 1000)).Dispose();
            await client.FinishAsync(path, new CrashDone());
            string report = Path.Combine(lab.Server.Options.Store, answer.Crash, "report.json");
            lab.Server.WaitFor(() => lab.Server.Log.Lines.Any(l => l.Contains($"{answer.Crash}: done", StringComparison.Ordinal)));
            Assert.True(File.Exists(report));
            return answer;
        }

        Assert.Equal(WantedVmcore.Filtered, (await CrashAsync(Signature, finish: true)).Vmcore);
        lab.Server.Restart(); // counted from the reports that are there
        using UploadClient later = lab.Connect();
        (CrashAnswer second, string under) = await later.AnnounceAsync(new CrashAnnouncement { Title = "t", Signature = Signature, DumpLevel = 31 });
        Assert.Equal(WantedVmcore.Filtered, second.Vmcore);
        (CrashAnswer third, string path) = await later.AnnounceAsync(new CrashAnnouncement { Title = "t", Signature = Signature, DumpLevel = 31 }); // one is under way
        Assert.Equal((WantedVmcore.None, 403), (third.Vmcore, third.Refusal));
        Assert.Contains("same_dumps", third.Reason, StringComparison.Ordinal);
        await later.RefusedAsync(later.SendAsync(HttpMethod.Post, $"{path}/vmcore", null, ("Upload-Defer-Length", "1")), HttpStatusCode.Forbidden, "not-wanted");
        Assert.Equal("none", (await later.FinishAsync(path, new CrashDone())).Vmcore);
        Assert.NotEqual(under, path);
        // Without a dump there is a report too: the program was called for it.
        lab.Server.WaitFor(() => File.Exists(Path.Combine(lab.Server.Options.Store, third.Crash, "report.json")));
        (CrashAnswer other, _) = await later.AnnounceAsync(new CrashAnnouncement { Signature = new AnnouncedSignature(1, "00000000000000aa"), DumpLevel = 31 });
        Assert.Equal(WantedVmcore.Filtered, other.Vmcore);
    }

    [Theory]
    [InlineData(null, 31, WantedVmcore.Filtered, 31, false)]
    [InlineData(null, 0, WantedVmcore.Full, null, false)]
    [InlineData(0, 31, WantedVmcore.Full, null, true)]
    [InlineData(17, 31, WantedVmcore.Filtered, 17, true)]
    [InlineData(17, null, WantedVmcore.Full, null, false)] // a file is sent as it is
    public async Task The_server_says_which_pages_it_wants(int? rule, int? own, WantedVmcore wanted, int? level, bool hasReason)
    {
        using UploadLab lab = new(o => o with { DumpLevel = rule });
        using UploadClient client = lab.Connect();
        (CrashAnswer answer, _) = await client.AnnounceAsync(new CrashAnnouncement { DumpLevel = own });
        Assert.Equal((wanted, level, hasReason), (answer.Vmcore, answer.DumpLevel, answer.Reason is not null));
    }

    [Fact]
    public async Task A_client_that_falls_silent_leaves_a_closed_log_and_may_go_on()
    {
        using UploadLab lab = new(uploads: c => c with { SilentAfter = TimeSpan.FromSeconds(1) });
        using UploadClient client = lab.Connect();
        (_, string path) = await client.AnnounceAsync();
        await client.PutAsync($"{path}/log", "6,5,1000000,-;first\n", UploadPaths.RecordsType);
        await client.CreateAsync(path);
        (await client.PatchAsync(path, 0, new byte[1000])).Dispose();
        lab.Server.WaitFor(() => lab.Server.Log.Count(365) == 1);
        lab.Server.WaitFor(() => File.ReadAllText(Path.Combine(lab.Crash, "upload.json")).Contains("\"is_resting\": true", StringComparison.Ordinal));
        Assert.Equal("[    1.000000] first\n", await File.ReadAllTextAsync(Path.Combine(lab.Crash, "log"), Cancel));
        Assert.True(File.Exists(Path.Combine(lab.Crash, "vmcore-incomplete")));

        await client.PutAsync($"{path}/tasks", "tasks\n", "text/plain");
        (await client.PatchAsync(path, 1000, new byte[1000])).Dispose();
        Assert.Equal("complete", (await client.FinishAsync(path, new CrashDone { Bytes = 2000 })).Vmcore);
        Assert.Equal("[    1.000000] first\ntasks\n", await File.ReadAllTextAsync(Path.Combine(lab.Crash, "log"), Cancel));
        Assert.Equal(["log", "upload.json", "vmcore"], Directory.GetFiles(lab.Crash).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task An_upload_that_nobody_goes_on_with_expires()
    {
        using UploadLab lab = new(uploads: c => c with { SilentAfter = TimeSpan.FromSeconds(1), ExpiresAfter = TimeSpan.FromSeconds(3) });
        using UploadClient client = lab.Connect();
        (_, string path) = await client.AnnounceAsync();
        await client.CreateAsync(path);
        (await client.PatchAsync(path, 0, new byte[1000])).Dispose();
        lab.Server.WaitFor(() => lab.Server.Log.Count(369) == 1);
        await client.RefusedAsync(client.PatchAsync(path, 1000, new byte[1000]), HttpStatusCode.Gone, "ended");
        Assert.Equal("incomplete", (await client.FinishAsync(path, new CrashDone { Bytes = 2000 })).Vmcore);
        Assert.Equal(["log", "upload.json", "vmcore-incomplete"], Directory.GetFiles(lab.Crash).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task A_body_is_cut_once_and_not_after_its_request_has_ended()
    {
        DefaultHttpContext http = new() { Request = { Body = new System.IO.Pipelines.Pipe().Reader.AsStream() } };
        UploadBody body = new(http);
        ValueTask<int> reading = body.ReadAsync(new byte[1]);
        Refusal first = Refusal.Over();
        body.Cut(first);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await reading);
        body.Cut(Refusal.Ended());
        Assert.Same(first, body.Why);
        body.Dispose();
        UploadBody ended = new(http);
        ended.Dispose();
        ended.Cut(first); // another request saw it just before
    }

    [Fact]
    public async Task A_host_enrols_itself_by_a_token_once()
    {
        using UploadLab lab = new();
        string code = new HostEnrolment(new CrashStore(lab.Server.Options.Store, TimeProvider.System), TimeProvider.System).NewToken(null);
        using UploadClient fresh = lab.Connect(UploadLab.Key());
        Task<HttpResponseMessage> EnrolAsync(UploadClient client, string token, string name) =>
            client.Http.PostAsJsonAsync(UploadPaths.Enrol, new TokenEnrolment(token, name), UploadJson.Default.TokenEnrolment, Cancel);
        await fresh.RefusedAsync(EnrolAsync(fresh, "0000", "web2"), HttpStatusCode.Forbidden, "bad-token");
        await fresh.RefusedAsync(EnrolAsync(fresh, code, "../web2"), HttpStatusCode.BadRequest, "bad-message");
        await fresh.RefusedAsync(EnrolAsync(fresh, code, "web1.example"), HttpStatusCode.Conflict, "name-taken");
        using (HttpResponseMessage response = await EnrolAsync(fresh, code, "web2"))
        {
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal("web2", (await response.Content.ReadFromJsonAsync(UploadJson.Default.HostStanding, Cancel))!.Name);
        }

        Assert.Equal("web2", (await fresh.Http.GetFromJsonAsync(UploadPaths.Host, UploadJson.Default.HostStanding, Cancel))!.Name);
        using UploadClient second = lab.Connect(UploadLab.Key());
        await second.RefusedAsync(EnrolAsync(second, code, "web3"), HttpStatusCode.Forbidden, "bad-token");
        using UploadClient leaf = lab.ConnectLeaf(Guid.NewGuid(), UploadLab.Key());
        await leaf.RefusedAsync(EnrolAsync(leaf, code, "web3"), HttpStatusCode.BadRequest, "bad-message");
    }
}
