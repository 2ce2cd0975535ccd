using System.Buffers.Binary;
using System.Text;
using Netdump.Fuzz.Tests.Engine;
using Netdump.Vmcore;
using Netdump.Vmcore.Codecs;
using Netdump.Vmcore.Memory;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>Blocks of LZO: never a byte beyond the page, whatever they claim.</summary>
public sealed class LzoBlocks : FuzzTarget
{
    public override int MaximumLength => 256;

    public override IReadOnlyList<byte[]> Tokens => [[17, 0, 0], [0x20, 0, 0, 1], [0x40, 0], [0x30, 0, 4]];

    public override IEnumerable<byte[]> Seeds => [[19, 21, 1, 2, 3, 4, 17, 0, 0], [63, 18, 5, 0x20, 27, 0, 0, 17, 0, 0], [31, 0, 11, .. new byte[29], 17, 0, 0]];

    public override void Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return;
        Span<byte> page = stackalloc byte[256 + 64];
        page.Fill(0xa5);
        int length = input[0] + 1;
        _ = Lzo.TryDecode(input[1..], page[..length]);
        Require(page[length..].IndexOfAnyExcept((byte)0xa5) < 0, "nothing is written behind the page");
    }
}

/// <summary>Pages of the other codecs: exactly one page comes out, or none.</summary>
public sealed class EncodedPages : FuzzTarget
{
    private static readonly PageCodec[] Codecs = [PageCodec.None, PageCodec.Zlib, PageCodec.Snappy, PageCodec.Zstd];

    public override int MaximumLength => 300;

    public override double Share => 0.5;

    public override IReadOnlyList<byte[]> Tokens => [[0x28, 0xb5, 0x2f, 0xfd], [0x78, 0x01], [0x80, 0x20]];

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            foreach (PageCodec codec in (PageCodec[])[PageCodec.Zlib, PageCodec.Zstd])
            {
                using PageEncoder encoder = new(codec);
                byte[] output = new byte[4096];
                yield return [(byte)Array.IndexOf(Codecs, codec), .. output.AsSpan(0, encoder.Encode(new byte[4096], output))];
            }

            yield return [2, 0x80, 0x20, 0, 5, 0xfe, 1, 0, 0xfe, 1, 0];
        }
    }

    public override void Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return;
        using PageDecoder decoder = new(mayBeNative: false);
        byte[] page = new byte[4096 + 64];
        page.AsSpan().Fill(0xa5);
        _ = decoder.TryDecode(Codecs[input[0] % Codecs.Length], input[1..], page.AsSpan(0, 4096));
        Require(page.AsSpan(4096).IndexOfAnyExcept((byte)0xa5) < 0, "nothing is written behind the page");
    }
}

/// <summary>arm64's page tables that may hold anything, for pages of 4, 16 and 64 KiB.</summary>
public sealed class Arm64PageTableWalks : FuzzTarget
{
    private const ulong ImageOffset = 0xffff_7fff_c000_0000;
    private static readonly VmcoreInfo[] Kernels = [Info(4096, 39, 25), Info(4096, 48, 16), Info(4096, 52, 12), Info(16384, 47, 17), Info(65536, 52, 16), Info(65536, 42, 22)];

    public override int MaximumLength => 2048;

    public override IReadOnlyList<byte[]> Tokens => [[3, 0x10, 0, 0x40, 0, 0, 0, 0], [1, 0, 0x20, 0x40, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0x80, 0xff, 0xff]];

    public override IEnumerable<byte[]> Seeds => Enumerable.Range(0, Kernels.Length).Select(
        i => (byte[])[(byte)i, .. new byte[6], 0xff, 0xff, .. Enumerable.Repeat((byte[])[3, 0, 1, 0x40, 0, 0, 0, 0], 64).SelectMany(entry => entry)]);

    public override bool IsExpected(Exception exception) => exception is VmcoreFormatException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        if (input.Length < 17) return;
        byte[] tables = input[9..].ToArray();
        KernelMemory memory = new(
            (address, destination) =>
            {
                if (address >= 1UL << 48) return 0;
                for (int i = 0; i < destination.Length; i++) destination[i] = tables[(int)((address + (ulong)i) % (ulong)tables.Length)];
                return destination.Length;
            },
            Kernels[input[0] % Kernels.Length],
            Machines.Arm64,
            1UL << 40);
        ulong at = BinaryPrimitives.ReadUInt64LittleEndian(input[1..]) | 0xff80_0000_0000_0000;
        if (memory.Translate(at, out ulong physical, out ulong size) == TranslationResult.Mapped)
        {
            Require(size >= (ulong)memory.PageSize && (size & (size - 1)) == 0, "a block is a power of two");
            Require((physical & (ulong)(memory.PageSize - 1)) == (at & (ulong)(memory.PageSize - 1)), "a page is moved as a whole");
        }

        Span<byte> bytes = stackalloc byte[100];
        Require(memory.Read(at, bytes) is >= 0 and <= 100, "no more is read than asked");
        ListWalk walk = memory.WalkList(at, 50);
        int entries = 0;
        while (walk.MoveNext()) entries++;
        Require(entries <= 50 && walk.End != ListEnd.None, "a list has an end");
    }

    private static VmcoreInfo Info(int pageSize, int bits, int t1sz) => VmcoreInfo.Parse(Encoding.ASCII.GetBytes(
        $"PAGESIZE={pageSize}\nNUMBER(VA_BITS)={bits}\nNUMBER(TCR_EL1_T1SZ)=0x{t1sz:x}\nNUMBER(kimage_voffset)=0x{ImageOffset:x}\n"
        + $"SYMBOL(swapper_pg_dir)={unchecked(ImageOffset + 0x4001_0000):x}\nNUMBER(PHYS_OFFSET)=0x40000000\nSYMBOL(_stext)={unchecked(ImageOffset + 0x4000_0000):x}\n"));
}
