using Netdump.Vmcore;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Tests;

namespace Netdump.EndToEnd;

/// <summary>Issue 5, proofs 1 and 3: makedumpfile 1.7.8 and `netdump filter` on the same dumps of real kernels.</summary>
public sealed class MakedumpfileJudgeTests(CrashedGuests guests) : IDisposable
{
    private const int RandomPages = 100_000;

    private readonly string _scratch = Workspace.Scratch("MakedumpfileJudge");

    public static TheoryData<string, int> Levels => [.. from series in (string[])["6.1", "6.12"] from level in (int[])[0, 1, 2, 4, 8, 12, 16, 23, 31] select (series, level)];

    [Theory]
    [MemberData(nameof(Levels))]
    public void Proof1_each_level_keeps_the_pages_that_makedumpfile_keeps(string series, int level)
    {
        CrashedGuest guest = guests.Of(series);
        string theirs = Path.Combine(_scratch, "theirs"), ours = Path.Combine(_scratch, "ours");
        Command.Succeed(Judges.Makedumpfile, "-l", "-d", $"{level}", guest.Vmcore, theirs);
        Command.Succeed(Workspace.Client, "filter", "-d", $"{level}", guest.Vmcore, ours);
        using VmcoreFile source = VmcoreFile.Open(guest.Vmcore), one = VmcoreFile.Open(ours), other = VmcoreFile.Open(theirs);
        Assert.Equal(source.Physical.EndPage, one.Physical.EndPage);

        ulong[] kept = Stored(one), expected = Stored(other);
        // The last page of a range that ends inside it: makedumpfile may round it away, we keep it.
        HashSet<ulong> partial = [.. source.Elf!.Segments.Where(segment => segment.IsMemory && segment.PhysicalEnd % 4096 != 0).Select(segment => segment.PhysicalEnd / 4096)];
        ulong[] differing = [.. Pages(kept.Zip(expected, (a, b) => a ^ b))];
        Assert.True(Array.TrueForAll(differing, partial.Contains), $"{differing.Length} pages differ, the first are {string.Join(' ', differing.Take(20).Select(page => $"{page:x}"))}");
        int count = Pages(kept).Count();
        if (level > 1) Assert.InRange(count, 1000, (int)source.Physical.PageCount - 1);
        else Assert.Equal((int)source.Physical.PageCount, count);

        using PageReader from = source.Physical.OpenReader(), first = one.Physical.OpenReader(), second = other.Physical.OpenReader();
        foreach (ulong page in Pages(kept))
        {
            Assert.Equal(PageState.Present, from.Read(page, out ReadOnlySpan<byte> bytes));
            Assert.Equal(PageState.Present, first.Read(page, out ReadOnlySpan<byte> written));
            Assert.True(bytes.SequenceEqual(written), $"page {page:x} of ours has other bytes");
            if (second.Read(page, out ReadOnlySpan<byte> judge) == PageState.Present) Assert.True(bytes.SequenceEqual(judge), $"page {page:x} of makedumpfile's has other bytes");
            else Assert.Contains(page, partial);
        }
    }

    [Theory]
    [InlineData("-c", 1)]
    [InlineData("-l", 1)]
    [InlineData("-p", 1)]
    [InlineData("-z", 1)]
    [InlineData("-E", 1)]
    [InlineData("-c -F", 1)]
    [InlineData("-E -F", 1)]
    [InlineData("--split -c", 3)]
    public void Proof3_what_makedumpfile_writes_opens_and_random_pages_are_equal(string options, int parts)
    {
        CrashedGuest guest = guests.Linux612;
        string[] paths = [.. Enumerable.Range(0, parts).Select(i => Path.Combine(_scratch, $"part{i}"))];
        bool isFlattened = options.EndsWith("-F", StringComparison.Ordinal);
        Command.Succeed("sh", "-c", $"{Judges.Makedumpfile} {options} -d 31 {guest.Vmcore} {(isFlattened ? ">" : "")} {string.Join(' ', paths)}");
        using VmcoreFile source = VmcoreFile.Open(guest.Vmcore), file = VmcoreFile.Open(paths);
        Assert.True(file.IsComplete);
        Assert.Equal((isFlattened, parts > 1), (file.Wrapping.IsFlattened, file.Kdump is { IsSplit: true }));
        Random random = new(5);
        byte[] bytes = new byte[4096], expected = new byte[4096];
        int present = 0;
        for (int i = 0; i < RandomPages; i++)
        {
            ulong page = (ulong)random.NextInt64((long)source.Physical.EndPage);
            PageState state = file.Physical.ReadInPage(page, 0, bytes), original = source.Physical.ReadInPage(page, 0, expected);
            Assert.True((state == PageState.NotMemory) == (original == PageState.NotMemory) || page == 0x9f, $"page {page:x} is {original}, and there {state}");
            if (state != PageState.Present) continue;
            Assert.True(expected.AsSpan().SequenceEqual(bytes), $"page {page:x} differs");
            present++;
        }

        Assert.InRange(present, RandomPages / 10, RandomPages);
    }

    public void Dispose() => Directory.Delete(_scratch, recursive: true);

    private static ulong[] Stored(VmcoreFile file)
    {
        ulong[] bits = new ulong[(file.Physical.EndPage + 63) / 64];
        file.Physical.CopyStoredBits(0, bits);
        return bits;
    }

    private static IEnumerable<ulong> Pages(IEnumerable<ulong> bits) => bits.SelectMany(static (word, index) =>
        Enumerable.Range(0, 64).Where(bit => (word >> bit & 1) != 0).Select(bit => (ulong)(index * 64 + bit)));
}
