using Microsoft.Extensions.Time.Testing;
using Netdump.Protocols.Keys;
using Netdump.Server.Enrolment;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Enrolment;

public sealed class HostEnrolmentTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly ScratchStore _scratch = new();
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly SshPublicKey _key = ScratchStore.NewKey("web-17");

    public void Dispose() => _scratch.Dispose();

    private HostEnrolment Enrolment => new(_scratch.Store, _time);

    private string[] Names => [.. new EnrolledHosts(_scratch.Store, TimeProvider.System).All.Select(h => h.Name)];

    [Fact]
    public void AddsOneLineThatSshAndWeUnderstand()
    {
        EnrolmentResult result = Enrolment.Enrol(_key, "web-17", "10.0.0.7");
        Assert.Equal(EnrolmentOutcome.Enrolled, result.Outcome);
        Assert.Equal("web-17", result.Host!.Name);
        string line = Assert.Single(File.ReadAllLines(_scratch.KeysPath));
        Assert.Matches($"^restrict,command=\"\\S+netdump-server gate --store {_scratch.Path}\" ecdsa-sha2-nistp256 \\S+ web-17$", line);
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(_scratch.KeysPath));
        Assert.Equal(OwnerOnly | UnixFileMode.UserExecute, File.GetUnixFileMode(_scratch.At(".ssh")));
        Assert.Equal(["web-17"], Names);
        Assert.Contains($" enrolled web-17 {_key.Fingerprint} command 10.0.0.7\n", File.ReadAllText(_scratch.At("server", "enrolment.log")));
    }

    [Fact]
    public void AddsItOnceHoweverOften()
    {
        Enrolment.Enrol(_key, "web-17", null);
        string before = File.ReadAllText(_scratch.KeysPath);
        EnrolmentResult again = Enrolment.Enrol(_key.Named("another comment"), "WEB-17", null);
        Assert.Equal(EnrolmentOutcome.Unchanged, again.Outcome);
        Assert.Equal("web-17", again.Host!.Name);
        Assert.Equal(before, File.ReadAllText(_scratch.KeysPath));
    }

    [Fact]
    public async Task AddsItOnceWhenManyAskAtOnce()
    {
        SshPublicKey[] others = [.. Enumerable.Range(0, 8).Select(i => ScratchStore.NewKey($"other-{i}"))];
        await Task.WhenAll(Enumerable.Range(0, 32).Select(i => Task.Run(() =>
            new HostEnrolment(_scratch.Store, _time).Enrol(i % 2 == 0 ? _key : others[i / 4], i % 2 == 0 ? "web-17" : others[i / 4].Comment, null))));
        Assert.Equal(["other-0", "other-1", "other-2", "other-3", "other-4", "other-5", "other-6", "other-7", "web-17"], Names.Order(StringComparer.Ordinal));
        Assert.Equal(9, File.ReadAllLines(_scratch.KeysPath).Length);
    }

    [Fact]
    public void RefusesAnotherNameOfAKeyAndAnotherKeyOfAName()
    {
        Enrolment.Enrol(_key, "web-17", null);
        EnrolmentResult other = Enrolment.Enrol(_key, "web-18", null);
        Assert.Equal((EnrolmentOutcome.KeyTaken, "this key is enrolled as web-17"), (other.Outcome, other.Message));
        Assert.Contains("netdump-server revoke web-17", other.Remedy);
        EnrolmentResult taken = Enrolment.Enrol(ScratchStore.NewKey(""), "Web-17", null);
        Assert.Equal(EnrolmentOutcome.NameTaken, taken.Outcome);
        Assert.Contains("netdump-server revoke web-17", taken.Remedy);
        Assert.Equal(["web-17"], Names);
    }

    [Fact]
    public void RefusesAKeyThatAnOperatorGaveMoreTo()
    {
        _scratch.WriteKeys($"{_key}\n");
        EnrolmentResult result = Enrolment.Enrol(_key, "web-17", null);
        Assert.Equal(EnrolmentOutcome.KeyTaken, result.Outcome);
        Assert.Contains(_scratch.KeysPath, result.Message);
        Assert.Equal($"{_key}\n", File.ReadAllText(_scratch.KeysPath));
    }

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("a\nb")]
    [InlineData("a b")]
    public void RefusesNamesThatAreNone(string name)
    {
        EnrolmentResult result = Enrolment.Enrol(_key, name, null);
        Assert.Equal(EnrolmentOutcome.BadName, result.Outcome);
        Assert.DoesNotContain('\n', result.Message);
        Assert.Empty(Names);
    }

    [Fact]
    public void LinesOfOthersStayToTheByte()
    {
        byte[] before = [.. "# opérateur\r\n"u8, 0xff, 0x00, .. "\n\nssh-rsa AAAA me"u8];
        _scratch.WriteKeys("");
        File.WriteAllBytes(_scratch.KeysPath, before);
        Enrolment.Enrol(_key, "web-17", null);
        byte[] after = File.ReadAllBytes(_scratch.KeysPath);
        Assert.Equal([.. before, (byte)'\n'], after[..(before.Length + 1)]);
        Enrolment.Revoke("web-17", null);
        Assert.Equal([.. before, (byte)'\n'], File.ReadAllBytes(_scratch.KeysPath));
    }

    [Fact]
    public void RevocationRemovesFromBothFiles()
    {
        _scratch.WriteKeys($"{ScratchStore.Line(_key)}\n{ScratchStore.Line(ScratchStore.NewKey("db-1"))}\n");
        File.WriteAllText(_scratch.KeysPath + "2", ScratchStore.Line(_key));
        Assert.Equal(2, Enrolment.Revoke("WEB-17", null).Count);
        Assert.Equal(["db-1"], Names);
        Assert.Empty(Enrolment.Revoke("web-17", null));
        EnrolledHost left = Assert.Single(new EnrolledHosts(_scratch.Store, TimeProvider.System).All);
        Assert.Single(Enrolment.Revoke(left.Key.Fingerprint.ToString(), null));
        Assert.Equal(EnrolmentOutcome.Enrolled, Enrolment.Enrol(_key, "another-name", null).Outcome);
    }

    [Fact]
    public void TokenWorksOnce()
    {
        string code = Enrolment.NewToken(null);
        Assert.Matches("^[0-9a-f]{32}$", code);
        Assert.DoesNotContain(code, File.ReadAllText(_scratch.At("server", "tokens")));
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(_scratch.At("server", "tokens")));
        Assert.Equal(EnrolmentOutcome.Enrolled, Enrolment.EnrolByToken(code, _key, "web-17", null).Outcome);
        Assert.Equal(EnrolmentOutcome.BadToken, Enrolment.EnrolByToken(code, ScratchStore.NewKey(""), "web-18", null).Outcome);
        // The answer to the first may have been lost.
        Assert.Equal(EnrolmentOutcome.Unchanged, Enrolment.EnrolByToken(code, _key, "web-17", null).Outcome);
        Assert.Equal(["web-17"], Names);
    }

    [Fact]
    public async Task TokenWorksOnceForManyAtOnce()
    {
        string code = Enrolment.NewToken(null);
        EnrolmentResult[] results = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(() =>
            new HostEnrolment(_scratch.Store, _time).EnrolByToken(code, ScratchStore.NewKey(""), $"web-{i}", null))));
        Assert.Single(results, r => r.IsEnrolled);
        Assert.Single(Names);
    }

    [Fact]
    public void TokenEndsAfterAnHourAndDoesNotOutliveAClockSetBack()
    {
        string code = Enrolment.NewToken(null);
        DateTimeOffset made = _time.GetUtcNow();
        _time.SetUtcNow(made + TimeSpan.FromMinutes(59));
        string second = Enrolment.NewToken(null);
        _time.SetUtcNow(made + TimeSpan.FromHours(1));
        Assert.Equal(EnrolmentOutcome.BadToken, Enrolment.EnrolByToken(code, _key, "web-17", null).Outcome);
        Assert.Equal(EnrolmentOutcome.Enrolled, Enrolment.EnrolByToken(second, _key, "web-17", null).Outcome);
        string third = Enrolment.NewToken(null);
        HostEnrolment back = new(_scratch.Store, new FakeTimeProvider(_time.GetUtcNow() - TimeSpan.FromDays(1)));
        Assert.Equal(EnrolmentOutcome.BadToken, back.EnrolByToken(third, ScratchStore.NewKey(""), "web-18", null).Outcome);
    }

    [Fact]
    public void TokenIsNotUsedUpByWhatIsRefused()
    {
        Enrolment.Enrol(ScratchStore.NewKey(""), "web-17", null);
        string code = Enrolment.NewToken(null);
        Assert.Equal(EnrolmentOutcome.NameTaken, Enrolment.EnrolByToken(code, _key, "web-17", null).Outcome);
        Assert.Equal(EnrolmentOutcome.BadName, Enrolment.EnrolByToken(code, _key, "../x", null).Outcome);
        Assert.Equal(EnrolmentOutcome.Enrolled, Enrolment.EnrolByToken(code, _key, "web-18", null).Outcome);
    }

    [Fact]
    public void NameGivenWithATokenGoesBeforeTheHosts()
    {
        string code = Enrolment.NewToken("db-1");
        Assert.Equal("db-1", Enrolment.EnrolByToken(code, _key, "localhost", null).Host!.Name);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0123456789abcdef0123456789abcdef")]
    [InlineData("x\ny z")]
    public void MadeUpCodesAreNone(string code)
    {
        Enrolment.NewToken(null);
        Assert.Equal(EnrolmentOutcome.BadToken, Enrolment.EnrolByToken(code, _key, "web-17", null).Outcome);
        Assert.Empty(Names);
    }

    [Fact]
    public void RubbishInTheTokenFileIsNoToken()
    {
        string code = Enrolment.NewToken(null);
        string path = _scratch.At("server", "tokens");
        File.WriteAllText(path, "rubbish\n \n1 2 3 4\n" + File.ReadAllText(path));
        Assert.Equal(EnrolmentOutcome.BadToken, Enrolment.EnrolByToken("rubbish", _key, "web-17", null).Outcome);
        Assert.Equal(EnrolmentOutcome.Enrolled, Enrolment.EnrolByToken(code, _key, "web-17", null).Outcome);
    }

    [Theory]
    [InlineData(".ssh")]
    [InlineData("server")]
    public void LinksOutOfTheStoreAreNotFollowed(string name)
    {
        string elsewhere = Directory.CreateDirectory(_scratch.Beside("elsewhere")).FullName;
        Directory.CreateDirectory(_scratch.Path);
        Directory.CreateSymbolicLink(_scratch.At(name), elsewhere);
        Assert.Throws<StoreException>(() => Enrolment.Enrol(_key, "web-17", null));
        Assert.Empty(Directory.GetFileSystemEntries(elsewhere));
    }

    [Fact]
    public void LinksInPlaceOfFilesAreNotFollowedEither()
    {
        string target = _scratch.Beside("target");
        File.WriteAllText(target, "untouched");
        foreach (string[] names in (string[][])[[".ssh", "authorized_keys"], ["server", "enrolment.lock"], ["server", "enrolment.log"]])
        {
            string path = _scratch.At(names);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.Delete(path);
            File.CreateSymbolicLink(path, target);
            Assert.Contains("symbolic link", Assert.Throws<StoreException>(() => Enrolment.Enrol(ScratchStore.NewKey(""), $"host-{names[1]}", null)).Message);
            File.Delete(path);
        }

        Assert.Equal("untouched", File.ReadAllText(target));
    }

    [Fact]
    public void SshDirectoryThatOthersMayWriteIsTakenFromThem()
    {
        _scratch.WriteKeys("");
        File.SetUnixFileMode(_scratch.At(".ssh"), (UnixFileMode)0x1ff);
        Enrolment.Enrol(_key, "web-17", null);
        Assert.Equal(OwnerOnly | UnixFileMode.UserExecute, File.GetUnixFileMode(_scratch.At(".ssh")));
    }
}
