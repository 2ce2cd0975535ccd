using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Kdump;

/// <summary>The files of a kdump-compressed dump, in the order of their pages.</summary>
internal sealed class KdumpSet
{
    private KdumpSet(KdumpPart[] parts, List<PageRange> missing)
    {
        Parts = parts;
        MissingPages = missing;
    }

    public KdumpPart[] Parts { get; }

    public KdumpPart First => Parts[0];

    public DumpBytes[] Files => Array.ConvertAll(Parts, static p => p.Bytes);

    /// <summary>Pages whose file was not given.</summary>
    public IReadOnlyList<PageRange> MissingPages { get; }

    public bool IsMarkedIncomplete => Array.Exists(Parts, static p => p.Header.IsMarkedIncomplete);

    /// <summary>Bytes the first part that is cut short should have at least; the length of the first when none is.</summary>
    public long LengthNeeded => First.HoldsDescriptors ? First.DataEnd() : First.Bytes.Length + 1;

    /// <summary>Opens the headers of all files and checks that they are one dump.</summary>
    /// <exception cref="VmcoreFormatException">A file is no kdump file, is given twice, or is of another dump.</exception>
    public static KdumpSet Join(IReadOnlyList<DumpBytes> files)
    {
        var parts = new KdumpPart[files.Count];
        for (var i = 0; i < parts.Length; i++)
            parts[i] = new KdumpPart(files[i], KdumpHeader.Read(files[i]));
        Array.Sort(parts, static (a, b) => (a.Header.StartPage, a.Header.EndPage).CompareTo((b.Header.StartPage, b.Header.EndPage)));

        var missing = new List<PageRange>();
        var covered = 0UL;
        foreach (var part in parts)
        {
            var header = part.Header;
            if (parts.Length > 1)
                CheckSame(parts[0], part);
            if (header.StartPage == header.EndPage)
                continue; // an empty part is legal
            if (header.StartPage < covered)
                throw new VmcoreFormatException(
                    header.BlockSize, $"{part.Bytes.Path} begins at page {header.StartPage}, which another part holds up to page {covered}");
            if (header.StartPage > covered)
                missing.Add(new PageRange(covered, header.StartPage - covered));
            covered = header.EndPage;
        }
        if (covered < parts[0].Header.PageCount)
            missing.Add(new PageRange(covered, parts[0].Header.PageCount - covered));
        return new KdumpSet(parts, missing);
    }

    private static void CheckSame(KdumpPart first, KdumpPart part)
    {
        var (a, b) = (first.Header, part.Header);
        if (!b.IsSplit)
            throw new VmcoreFormatException(b.BlockSize, $"{part.Bytes.Path} is a whole dump, not a part of a split one");
        if (a.PageCount != b.PageCount || a.BlockSize != b.BlockSize || a.Timestamp != b.Timestamp || a.Utsname[2] != b.Utsname[2] || a.Is64 != b.Is64)
            throw new VmcoreFormatException(0, $"{part.Bytes.Path} is of another dump than {first.Bytes.Path}");
    }
}
