using Netdump.Protocols.Keys;
using Netdump.Server.Enrolment;

namespace Netdump.Server.Tests.Enrolment;

public sealed class EnrolledHostsTests : IDisposable
{
    private readonly ScratchStore _scratch = new();
    private readonly EnrolledHosts _hosts;
    private readonly SshPublicKey _first = ScratchStore.NewKey("first");
    private readonly SshPublicKey _second = ScratchStore.NewKey("second");

    public EnrolledHostsTests() => _hosts = new EnrolledHosts(_scratch.Store, TimeProvider.System);

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void StoreThatIsNotThereHasNone()
    {
        Assert.Empty(_hosts.All);
        Assert.False(_hosts.TryFind(_first.Fingerprint, out _));
        Assert.Null(_hosts.Trouble);
        Assert.False(Directory.Exists(_scratch.Path));
    }

    [Fact]
    public void BothFilesCount()
    {
        _scratch.WriteKeys($"# a comment\n\nssh-ed25519 AAAA operator\n{ScratchStore.Line(_first)}\n");
        File.WriteAllText(_scratch.KeysPath + "2", ScratchStore.Line(_second)); // no newline at its end
        Assert.Equal(["first", "second"], _hosts.All.Select(h => h.Name));
        Assert.True(_hosts.TryFind(_second.Fingerprint, out EnrolledHost? host));
        Assert.Equal("second", host.Name);
    }

    [Fact]
    public void KeyWithoutOurCommandIsNoEnrolment()
    {
        _scratch.WriteKeys($"{_first}\n");
        Assert.False(_hosts.TryFind(_first.Fingerprint, out _));
    }

    [Fact]
    public void EachChangeShowsAtTheNextQuestion()
    {
        // In place, of the same length, as fast as it goes: neither inode nor size says anything, and the clock hardly.
        SshPublicKey third = ScratchStore.NewKey("third");
        SshPublicKey fifth = ScratchStore.NewKey("fifth");
        for (int round = 0; round < 300; round++)
        {
            SshPublicKey now = round % 2 == 0 ? third : fifth;
            _scratch.WriteKeys(ScratchStore.Line(now) + "\n");
            Assert.True(_hosts.TryFind(now.Fingerprint, out _), $"round {round}");
            Assert.False(_hosts.TryFind((round % 2 == 0 ? fifth : third).Fingerprint, out _), $"round {round}");
        }
    }

    [Fact]
    public void RevocationByReplacementOrRemovalCountsAtOnce()
    {
        _scratch.WriteKeys($"{ScratchStore.Line(_first)}\n{ScratchStore.Line(_second)}\n");
        File.SetLastWriteTimeUtc(_scratch.KeysPath, DateTime.UnixEpoch);
        Assert.True(_hosts.TryFind(_first.Fingerprint, out _));
        string fresh = _scratch.KeysPath + ".new";
        File.WriteAllText(fresh, ScratchStore.Line(_second) + "\n");
        File.Move(fresh, _scratch.KeysPath, overwrite: true);
        Assert.False(_hosts.TryFind(_first.Fingerprint, out _));
        Assert.True(_hosts.TryFind(_second.Fingerprint, out _));
        File.Delete(_scratch.KeysPath);
        Assert.False(_hosts.TryFind(_second.Fingerprint, out _));
    }

    [Fact]
    public void WhatCannotBeReadEnrolsNobody()
    {
        _scratch.WriteKeys(ScratchStore.Line(_first) + "\n");
        Assert.True(_hosts.TryFind(_first.Fingerprint, out _));
        string real = _scratch.Beside("keys");
        File.Move(_scratch.KeysPath, real);
        File.CreateSymbolicLink(_scratch.KeysPath, real);
        Assert.False(_hosts.TryFind(_first.Fingerprint, out _));
        Assert.Contains("symbolic link", _hosts.Trouble);
        File.Delete(_scratch.KeysPath);
        File.Move(real, _scratch.KeysPath);
        Assert.True(_hosts.TryFind(_first.Fingerprint, out _));
        Assert.Null(_hosts.Trouble);
    }

    [Fact]
    public void NamedPipeInAFilesPlaceHoldsNobody()
    {
        Directory.CreateDirectory(_scratch.At(".ssh"));
        using (System.Diagnostics.Process made = System.Diagnostics.Process.Start("mkfifo", [_scratch.KeysPath])) made.WaitForExit();
        Assert.Empty(_hosts.All);
        Assert.Contains("is no file", _hosts.Trouble);
    }

    [Fact]
    public void ManyThreadsAskWhileTheFileChanges()
    {
        _scratch.WriteKeys(ScratchStore.Line(_first) + "\n");
        using CancellationTokenSource over = new();
        Thread writer = new(() =>
        {
            for (int round = 0; !over.IsCancellationRequested; round++)
            {
                string fresh = _scratch.KeysPath + ".new";
                File.WriteAllText(fresh, $"{ScratchStore.Line(_first)}\n{(round % 2 == 0 ? ScratchStore.Line(_second) : "")}\n");
                File.Move(fresh, _scratch.KeysPath, overwrite: true);
            }
        });
        writer.Start();
        Parallel.For(0, 4, _ =>
        {
            for (int i = 0; i < 500; i++) Assert.True(_hosts.TryFind(_first.Fingerprint, out EnrolledHost? found) && found.Name == "first");
        });
        over.Cancel();
        writer.Join();
    }
}
