using System.IO.Hashing;
using Netdump.Client.Capture;
using Netdump.Vmcore;

namespace Netdump.Client.Tests.Capture;

public sealed class VmcoreDigestTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void It_is_the_hash_of_every_byte_also_across_windows(bool mapped)
    {
        byte[] content = new byte[(2 * DumpWindows.WindowLength) + 12345];
        new Random(7).NextBytes(content);
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, content);
            using DumpBytes bytes = DumpBytes.Open(path);
            ulong moved = 0;
            Assert.Equal(Convert.ToHexStringLower(XxHash128.Hash(content)), VmcoreDigest.Compute(bytes, mapped, n => moved += n));
            Assert.Equal((ulong)content.Length, moved);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void A_file_cut_short_meanwhile_is_said_in_one_line()
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, new byte[200_000]);
            using DumpBytes bytes = DumpBytes.Open(path);
            File.WriteAllBytes(path, new byte[100_000]);
            IOException failure = Assert.Throws<IOException>(() => VmcoreDigest.Compute(bytes, mapped: false, _ => { }));
            Assert.Equal($"{path}: ends at 100000 of 200000 bytes", failure.Message);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
