using System.Globalization;
using System.Text;
using CsCheck;
using Netdump.Client.Image;

namespace Netdump.Client.Tests.Image;

public class CpioWriterTests
{
    internal sealed record Entry(string Name, uint Mode, byte[] Data, uint Major, uint Minor);

    /// <summary>Reads an archive by the kernel's rules, with none of the writer's code.</summary>
    internal static List<Entry> Read(ReadOnlySpan<byte> archive)
    {
        var entries = new List<Entry>();
        for (int at = 0; ;)
        {
            Assert.Equal(0, at % 4);
            string head = Encoding.ASCII.GetString(archive.Slice(at, 110));
            Assert.Equal("070701", head[..6]);
            uint Field(int i) => uint.Parse(head.AsSpan(6 + (8 * i), 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            int nameSize = (int)Field(11), size = (int)Field(6);
            Assert.Equal(0, archive[at + 110 + nameSize - 1]);
            string name = Encoding.UTF8.GetString(archive.Slice(at + 110, nameSize - 1));
            int data = (at + 110 + nameSize + 3) & ~3;
            if (name == "TRAILER!!!")
            {
                Assert.Equal(archive.Length, data);
                return entries;
            }
            entries.Add(new Entry(name, Field(1), archive.Slice(data, size).ToArray(), Field(9), Field(10)));
            at = (data + size + 3) & ~3;
        }
    }

    private static List<Entry> Write(Action<CpioWriter> fill)
    {
        using var stream = new MemoryStream();
        var writer = new CpioWriter(stream);
        fill(writer);
        writer.Finish();
        Assert.Equal(stream.Length, writer.Length);
        return Read(stream.ToArray());
    }

    [Fact]
    public void Kinds_and_modes()
    {
        List<Entry> all = Write(w =>
        {
            w.AddDirectory("/proc");
            w.AddFile("/init", "#!"u8, executable: true);
            w.AddFile("/etc/a/b", "x"u8);
            w.AddLink("/lib64", "usr/lib64");
            w.AddCharacterDevice("/dev/kmsg", 1, 11);
        });
        Assert.Equal(["proc", "init", "etc", "etc/a", "etc/a/b", "lib64", "dev", "dev/kmsg"], all.Select(e => e.Name));
        uint[] modes = [0x41ED, 0x81ED, 0x41ED, 0x41ED, 0x81A4, 0xA1FF, 0x41ED, 0x2180];
        Assert.Equal(modes, all.Select(e => e.Mode));
        Assert.Equal("usr/lib64", Encoding.UTF8.GetString(all[5].Data));
        Assert.Equal((1u, 11u), (all[7].Major, all[7].Minor));
    }

    [Fact]
    public void Any_content_comes_back() =>
        Gen.Byte.Array[0, 300].Array[0, 8].Sample(files =>
        {
            List<Entry> all = Write(w =>
            {
                for (int i = 0; i < files.Length; i++) w.AddFile($"/d{i % 3}/{new string('n', i)}{i}", files[i]);
            });
            Assert.Equal(files, all.Where(e => (e.Mode & 0xF000) == 0x8000).Select(e => e.Data));
        });

    [Fact]
    public void A_path_twice_or_not_absolute_is_refused()
    {
        var writer = new CpioWriter(Stream.Null);
        writer.AddFile("/a", []);
        Assert.Throws<ArgumentException>(() => writer.AddFile("/a", []));
        Assert.Throws<ArgumentException>(() => writer.AddFile("a", []));
        writer.AddDirectory("/a/..x");
        writer.AddDirectory("/a/..x"); // a directory twice is the same directory
    }
}
