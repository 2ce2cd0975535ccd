using System.Security.Cryptography;
using CsCheck;
using Netdump.Kernel.Incidents;

namespace Netdump.Kernel.Tests.Incidents;

public class Sha256Tests
{
    [Fact]
    public void Digests_are_those_of_the_standard() =>
        Gen.Byte.Array[0, 300].Sample(bytes => Sha256.Of(bytes).AsSpan().SequenceEqual(SHA256.HashData(bytes)));
}
