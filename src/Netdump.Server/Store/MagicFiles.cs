using System.Globalization;
using System.Net;
using System.Text;
using Netdump.Server.Options;

namespace Netdump.Server.Store;

/// <summary>What the magic says about a classic client.</summary>
public enum MagicVerdict
{
    /// <summary>Go on; the magic to put into requests is given beside it.</summary>
    Accepted,

    /// <summary>The policy asks for a magic file and there is none.</summary>
    NoFile,

    /// <summary>There is a magic file that is not 16 hexadecimal digits: refused, because it was meant to protect.</summary>
    BadFile,

    /// <summary>The client announced another magic.</summary>
    Mismatch,
}

/// <summary>
/// The classic protocol's spoof guard: <c>magic/&lt;address&gt;</c> holds 16 hexadecimal digits, high word then low word
/// (redhat-netdump.md 4.2, 4.6, items 39 and 40).
/// </summary>
public sealed class MagicFiles
{
    private const int Digits = 16;

    // 16 digits, a newline, and room for a carriage return or blanks: anything longer is no magic file.
    private const int MaxLength = 64;

    private readonly CrashStore _store;
    private readonly string _directory;

    /// <summary>The magic files of a store.</summary>
    public MagicFiles(CrashStore store)
    {
        _store = store;
        _directory = store.MagicDirectory;
    }

    /// <summary>Most hosts that may have a magic file: an enrolled host with a whole network of addresses does not fill the disk.</summary>
    public int MaximumFiles { get; init; } = 65_536;

    /// <summary>
    /// Keeps the magic of a host, in place of the one it had; on the disk when this returns. Throws <see cref="StoreException"/>, one line.
    /// </summary>
    public void Deposit(IPAddress address, ulong magic)
    {
        using StoreFolder root = StoreFolder.OpenRoot(_store);
        using StoreFolder folder = root.OpenOrMake(Path.GetFileName(_directory));
        string name = CrashStore.NameOf(address);
        if (folder.StatusOf(name) is null && Directory.EnumerateFiles(_directory).Take(MaximumFiles).Count() >= MaximumFiles)
            throw new StoreException($"{_directory} holds {MaximumFiles} files: remove those of hosts that are gone");
        folder.Replace(name, Encoding.ASCII.GetBytes($"{magic:x16}\n"));
    }

    /// <summary>
    /// Judges a START. <paramref name="announced"/> is its netdump_magic, null when it carries none (old clients: accepted by
    /// their address alone). <paramref name="magic"/> is what requests to this client must carry. Reads one small file.
    /// </summary>
    public MagicVerdict Check(IPAddress address, ulong? announced, SecurePolicy policy, out ulong magic)
    {
        magic = announced ?? 0;
        if (policy == SecurePolicy.Never) return MagicVerdict.Accepted;
        string? text = Read(address);
        if (text is null) return policy == SecurePolicy.Always ? MagicVerdict.NoFile : MagicVerdict.Accepted;
        if (!TryParse(text, out ulong stored)) return MagicVerdict.BadFile;
        if (announced is { } value && value != stored) return MagicVerdict.Mismatch;
        magic = stored;
        return MagicVerdict.Accepted;
    }

    /// <summary>Whether packets of this address are looked at: false only when the policy asks for a file and there is none.</summary>
    public bool IsKnown(IPAddress address, SecurePolicy policy) =>
        policy != SecurePolicy.Always || File.Exists(PathOf(address));

    /// <summary>Reads the text of a magic file: exactly 16 hexadecimal digits, blanks around them ignored.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ulong magic)
    {
        text = text.Trim();
        magic = 0;
        return text.Length == Digits && ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out magic);
    }

    private string PathOf(IPAddress address) => Path.Combine(_directory, CrashStore.NameOf(address));

    private string? Read(IPAddress address)
    {
        try
        {
            using FileStream file = new(PathOf(address), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            Span<byte> bytes = stackalloc byte[MaxLength];
            int length = file.ReadAtLeast(bytes, MaxLength, throwOnEndOfStream: false);
            return Encoding.ASCII.GetString(bytes[..length]);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ""; // there and unreadable: refused like a bad one
        }
    }
}
