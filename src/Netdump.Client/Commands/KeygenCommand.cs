using System.CommandLine;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Netdump.Client.Linux;
using Netdump.Client.Trust;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Commands;

/// <summary><c>netdump keygen</c>: makes a key for who sends dumps without being an armed host.</summary>
internal static class KeygenCommand
{
    private const string Examples = """
        netdump keygen --key ./key                     then, on the server: netdump-server enrol key.pub
        netdump keygen --key ./key --pem ./pem         for curl too: --cert pem/cert.pem --key pem/key.pem
        ssh-keygen -t ecdsa -b 256 -N '' -f ./key      makes such a key as well
        """;

    public static Command Create()
    {
        var key = new Option<string>("--key", "-k") { Description = "The private key to write; its public half goes beside it as FILE.pub", HelpName = "FILE", Required = true };
        var pem = new Option<string?>("--pem") { Description = "Also write key.pem and a certificate, cert.pem, for curl and other programs", HelpName = "DIR" };
        var name = new Option<string?>("--name") { Description = "What stands behind the key, and what its host is called when it is enrolled [default: the host name]", HelpName = "NAME" };
        var json = new Option<bool>("--json") { Description = "For programs" };
        name.Validators.Add(r =>
        {
            if (r.GetValue(name) is { } text && (text.Length is 0 or > 255 || text.Any(char.IsControl))) r.AddError("--name is a word of at most 255 characters.");
        });
        var command = new CommandWithExamples("keygen", "Makes an ECDSA P-256 key in OpenSSH's format, to send dumps with. Never writes over one.", Examples) { key, pem, name, json };
        command.SetAction(p => Make(p.GetRequiredValue(key), p.GetValue(pem), p.GetValue(name) ?? KernelIdentity.Running().NodeName, p.GetValue(json)));
        return command;
    }

    private static int Make(string path, string? pem, string name, bool json)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (pem is not null)
        {
            Directory.CreateDirectory(pem, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            foreach (string file in (string[])["key.pem", "cert.pem"])
                if (Path.Exists(Path.Combine(pem, file))) throw new ClientException($"{Path.Combine(pem, file)} exists, and a key is never written over", "give another directory, or remove it");
        }
        KeyFile.Write(path, key, name);
        if (pem is not null)
        {
            using X509Certificate2 certificate = HostCertificate.OfOwnKey(key, name);
            KeyFile.WriteNew(Path.Combine(pem, "key.pem"), Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem() + "\n"));
            KeyFile.WriteNew(Path.Combine(pem, "cert.pem"), Encoding.ASCII.GetBytes(certificate.ExportCertificatePem() + "\n"));
        }
        MadeKey made = new(path, path + ".pub", KeyFingerprint.Of(key).ToString(), name, pem is null ? null : Path.Combine(pem, "key.pem"), pem is null ? null : Path.Combine(pem, "cert.pem"));
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(made, KeygenJson.Default.MadeKey));
            return 0;
        }
        Console.WriteLine($"made {made.Key} and {made.Public}, {made.Fingerprint}");
        if (pem is not null) Console.WriteLine($"made {made.PemKey} and {made.PemCertificate}");
        Console.WriteLine($"next, on the server: netdump-server enrol {Path.GetFileName(made.Public)}");
        return 0;
    }
}

/// <summary>What was made.</summary>
/// <param name="Key">File of the private key.</param>
/// <param name="Public">File of the public key.</param>
/// <param name="Fingerprint">Names the key.</param>
/// <param name="Name">What stands behind it.</param>
/// <param name="PemKey">The private key, PKCS#8 in PEM; absent unless asked for.</param>
/// <param name="PemCertificate">A certificate of it by itself, PEM; absent unless asked for.</param>
internal sealed record MadeKey(string Key, string Public, string Fingerprint, string Name, string? PemKey, string? PemCertificate);

/// <summary>Reflection-free serializer of <see cref="MadeKey"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(MadeKey))]
internal sealed partial class KeygenJson : JsonSerializerContext;
