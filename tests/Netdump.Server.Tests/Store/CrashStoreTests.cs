using System.Net;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Netdump.Server.Options;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Store;

public sealed class CrashStoreTests : IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly string _root = Directory.CreateTempSubdirectory("netdump-store-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 23, 22, 5, 59, TimeSpan.Zero));
    private readonly CrashStore _store;

    public CrashStoreTests()
    {
        _time.SetLocalTimeZone(TimeZoneInfo.CreateCustomTimeZone("test", TimeSpan.FromHours(3), "test", "test"));
        _store = new CrashStore(Path.Combine(_root, "crash"), _time);
        _store.Prepare();
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Item37_a_crash_has_a_directory_of_its_own_named_by_address_and_local_time_with_mode_0700()
    {
        CrashDirectory directory = _store.Create(IPAddress.Parse("10.1.2.3"));
        Assert.Equal("10.1.2.3-2026-11-24-01:05", directory.Name);
        Assert.Equal(Private, File.GetUnixFileMode(directory.Path));
        Assert.Equal(Private, File.GetUnixFileMode(_store.Root));
    }

    [Fact]
    public void Item37_a_name_that_is_taken_gets_a_number()
    {
        IPAddress address = IPAddress.Parse("10.1.2.3");
        string first = _store.Create(address).Name;
        Assert.Equal(first + "-2", _store.Create(address).Name);
        Assert.Equal(first + "-3", _store.Create(address).Name);
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal("10.1.2.3-2026-11-24-01:06", _store.Create(address).Name);
    }

    [Fact]
    public void The_console_of_a_host_and_the_directory_of_all_consoles_have_mode_0700()
    {
        string path = _store.ConsolePath(IPAddress.Parse("10.1.2.3"));
        _store.MakeConsole(_store.ConsolePath(IPAddress.Parse("10.1.2.3")));
        Assert.Equal(Private, File.GetUnixFileMode(path));
        Assert.Equal(Private, File.GetUnixFileMode(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void Twenty_threads_get_twenty_directories()
    {
        string[] names = new string[20];
        Parallel.For(0, names.Length, i => names[i] = _store.Create(IPAddress.Loopback).Name);
        Assert.Equal(names.Length, names.Distinct().Count());
    }

    [Theory]
    [InlineData("fe80::1%2", "fe80__1")]
    [InlineData("2001:db8::7", "2001_db8__7")]
    [InlineData("::ffff:10.0.0.9", "10.0.0.9")]
    [InlineData("::1", "__1")]
    public void Addresses_have_names_that_are_file_names(string address, string name) =>
        Assert.Equal(name, CrashStore.NameOf(IPAddress.Parse(address)));

    [Fact]
    public void Files_are_private_and_never_overwritten()
    {
        CrashDirectory directory = _store.Create(IPAddress.Loopback);
        using (FileStream file = directory.CreateFile("vmcore-incomplete")) file.Write("one"u8);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(directory.File("vmcore-incomplete")));
        Assert.Throws<IOException>(() => directory.CreateFile("vmcore-incomplete"));
        directory.Complete("vmcore-incomplete", "vmcore");
        Assert.Equal("one", File.ReadAllText(directory.File("vmcore")));
        using (FileStream file = directory.CreateFile("vmcore-incomplete")) file.Write("two"u8);
        Assert.ThrowsAny<IOException>(() => directory.Complete("vmcore-incomplete", "vmcore"));
        Assert.Equal("one", File.ReadAllText(directory.File("vmcore")));
        Assert.Equal("two", File.ReadAllText(directory.File("vmcore-incomplete")));
    }

    [Fact]
    public void A_small_file_is_replaced_as_a_whole()
    {
        CrashDirectory directory = _store.Create(IPAddress.Loopback);
        directory.Replace("log", "first version"u8);
        directory.Replace("log", "second"u8);
        Assert.Equal("second", File.ReadAllText(directory.File("log")));
        Assert.Equal(["log"], Directory.GetFiles(directory.Path).Select(Path.GetFileName));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(directory.File("log")));
    }

    [Fact]
    public void A_file_that_cannot_be_replaced_stays_and_nothing_is_left_beside_it()
    {
        CrashDirectory crash = _store.Create(IPAddress.Parse("192.0.2.7"));
        Directory.CreateDirectory(crash.File("log"));
        Assert.ThrowsAny<IOException>(() => crash.Replace("log", "text"u8));
        Assert.Equal(["log"], Directory.GetFileSystemEntries(crash.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void A_store_that_cannot_be_written_is_one_line()
    {
        string file = Path.Combine(_root, "file");
        File.WriteAllText(file, "");
        StoreException error = Assert.Throws<StoreException>(() => new CrashStore(Path.Combine(file, "store"), _time).Prepare());
        Assert.StartsWith($"cannot write to the store {file}/store: ", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
        // /proc takes no directories, not even from root.
        error = Assert.Throws<StoreException>(() => new CrashStore("/proc/netdump-store", _time).Prepare());
        Assert.Contains("--store DIR", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Preparing_leaves_nothing_behind_and_may_be_repeated()
    {
        _store.Prepare();
        Assert.Empty(Directory.GetFileSystemEntries(_store.Root));
    }

    private MagicVerdict Check(string? file, ulong? announced, SecurePolicy policy, out ulong magic)
    {
        string path = Path.Combine(_store.MagicDirectory, "10.0.0.1");
        Directory.CreateDirectory(_store.MagicDirectory);
        File.Delete(path);
        if (file is not null) File.WriteAllText(path, file);
        return new MagicFiles(_store).Check(IPAddress.Parse("10.0.0.1"), announced, policy, out magic);
    }

    [Theory]
    [InlineData("0123456789abcdef\n", 0x0123456789abcdefUL, MagicVerdict.Accepted)]
    [InlineData("0123456789ABCDEF", 0x0123456789abcdefUL, MagicVerdict.Accepted)]
    [InlineData("89abcdef01234567\n", 0x0123456789abcdefUL, MagicVerdict.Mismatch)]
    [InlineData("0123456789abcde\n", 0x0123456789abcdefUL, MagicVerdict.BadFile)]
    [InlineData("0123456789abcdef0\n", 0x0123456789abcdefUL, MagicVerdict.BadFile)]
    [InlineData("0x23456789abcdef", 0x0123456789abcdefUL, MagicVerdict.BadFile)]
    [InlineData("", 0UL, MagicVerdict.BadFile)]
    public void Item40_a_magic_file_holds_high_word_then_low_word(string file, ulong announced, MagicVerdict expected)
    {
        Assert.Equal(expected, Check(file, announced, SecurePolicy.Auto, out _));
        Assert.Equal(expected, Check(file, announced, SecurePolicy.Always, out _));
        Assert.Equal(MagicVerdict.Accepted, Check(file, announced, SecurePolicy.Never, out ulong magic));
        Assert.Equal(announced, magic);
    }

    [Fact]
    public void Item39_secure_asks_for_a_file_and_the_others_do_not()
    {
        Assert.Equal(MagicVerdict.NoFile, Check(null, 1, SecurePolicy.Always, out _));
        Assert.Equal(MagicVerdict.Accepted, Check(null, 1, SecurePolicy.Auto, out _));
        Assert.Equal(MagicVerdict.Accepted, Check(null, 1, SecurePolicy.Never, out _));
        MagicFiles magics = new(_store);
        Assert.False(magics.IsKnown(IPAddress.Parse("10.0.0.1"), SecurePolicy.Always));
        Assert.True(magics.IsKnown(IPAddress.Parse("10.0.0.1"), SecurePolicy.Auto));
        Assert.Equal(MagicVerdict.Accepted, Check("0000000000000001", null, SecurePolicy.Always, out ulong magic));
        Assert.Equal(1UL, magic);
        Assert.True(magics.IsKnown(IPAddress.Parse("10.0.0.1"), SecurePolicy.Always));
    }

    [Fact]
    public void A_huge_or_binary_magic_file_is_refused()
    {
        Assert.Equal(MagicVerdict.BadFile, Check(new string('a', 1 << 20), 1, SecurePolicy.Auto, out _));
        Assert.Equal(MagicVerdict.BadFile, Check(Encoding.Latin1.GetString([0xff, 0, 1]), 1, SecurePolicy.Auto, out _));
    }
}
