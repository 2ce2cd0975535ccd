using System.Security.Cryptography;
using Netdump.Protocols.Keys;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Enrolment;

/// <summary>A store in a directory of its own.</summary>
internal sealed class ScratchStore : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("netdump-enrol-");

    public ScratchStore() => Store = new CrashStore(Path, TimeProvider.System);

    public CrashStore Store { get; }

    public string Path => System.IO.Path.Combine(_directory.FullName, "crash");

    /// <summary>A place beside the store.</summary>
    public string Beside(string name) => System.IO.Path.Combine(_directory.FullName, name);

    public string At(params string[] names) => System.IO.Path.Combine([Path, .. names]);

    public string KeysPath => At(".ssh", "authorized_keys");

    public void WriteKeys(string text)
    {
        Directory.CreateDirectory(At(".ssh"));
        File.WriteAllText(KeysPath, text);
    }

    public static SshPublicKey NewKey(string comment)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return SshPublicKey.Of(key, comment);
    }

    public static string Line(SshPublicKey key) => $"restrict,command=\"netdump-server gate\" {key}";

    public void Dispose() => _directory.Delete(recursive: true);
}
