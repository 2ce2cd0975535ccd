using System.Text;
using Netdump.Fuzz.Tests.Engine;
using Netdump.Protocols.Keys;
using Netdump.Server.Enrolment;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>
/// An authorized_keys file: who is enrolled has a valid name and stands in a line that begins as a line with options does; adding a line and taking
/// it back leaves all others to the byte.
/// </summary>
public sealed class AuthorizedKeyFiles : FuzzTarget
{
    private const string Key =
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBKhCdBn5cjkeBXOPhfZP7yr51bjG6YC2a2lhWokPdVCcfRDDJD4cK01qnLtJvC8xKhc+DF5I68FU7c147+QLugQ=";

    private static readonly SshPublicKey Known = SshPublicKey.TryParse(Key, out SshPublicKey? key) ? key : throw new InvalidOperationException();

    public override int MaximumLength => 2048;

    public override IReadOnlyList<byte[]> Tokens =>
    [
        "restrict"u8.ToArray(), ",command=\""u8.ToArray(), "netdump-server gate"u8.ToArray(), " --store "u8.ToArray(), "\\\""u8.ToArray(), "\" "u8.ToArray(), "'"u8.ToArray(),
        "\n"u8.ToArray(), "no-pty,"u8.ToArray(), "from=\""u8.ToArray(), Encoding.ASCII.GetBytes(Key), " web-17"u8.ToArray(),
    ];

    public override IEnumerable<byte[]> Seeds =>
    [
        Encoding.ASCII.GetBytes($"# comment\nrestrict,command=\"netdump-server gate\" {Key} web-17\n"),
        Encoding.ASCII.GetBytes($"restrict,no-pty,command=\"'/opt/a \\\"b\\\"/netdump-server' gate --store '/srv/it'\\''s'\" {Key} web-17"),
        Encoding.ASCII.GetBytes($"{Key} operator\n\n  restrict {Key} x\r\nfrom=\"10.0.0.0/8\",restrict,command=\"netdump-server gate\" {Key} db-1\n"),
    ];

    public override void Run(ReadOnlySpan<byte> input)
    {
        var keys = AuthorizedKeys.Parse("authorized_keys", input);
        foreach (EnrolledHost host in keys.Hosts) Require(HostName.IsValid(host.Name) && host.Name == host.Key.Comment, "who is enrolled has a valid name");
        byte[] before = keys.Text().ToArray();
        int count = keys.Hosts.Count();
        keys.Add(AuthorizedLine.Write("netdump-server gate", Known.Named("fuzz.added")));
        Require(keys.Hosts.Count() == count + 1, "a line that is added is an enrolment, whatever stands before it");
        int removed = keys.Remove(host => host.Name == "fuzz.added").Count;
        Require(removed >= 1 && (removed > 1 || keys.Text().SequenceEqual(before)), "and leaves nothing behind");
    }
}
