using Microsoft.Win32.SafeHandles;

namespace Netdump.Server.Store;

/// <summary>
/// A vmcore while it is being received: the sparse file <c>vmcore-incomplete</c> and the map of pages accounted for.
/// Pages may come in any order; of a page that comes twice the first copy stays. Zero pages, pages the client has not and pages
/// it could not read are holes of the file. Owned by one engine thread until <see cref="Complete"/> or <see cref="Dispose"/>.
/// </summary>
public sealed class VmcoreWriter : IDisposable
{
    /// <summary>Name of the file until every page is accounted for.</summary>
    public const string IncompleteName = "vmcore-incomplete";

    /// <summary>Name of the complete file.</summary>
    public const string CompleteName = "vmcore";

    private readonly CrashDirectory _directory;
    private readonly FileStream _stream;
    private readonly SafeFileHandle _file;

    private LeftOutPages? _leftOut;
    private readonly byte[]? _present; // of a file that is gone on with: a page's bytes there

    private VmcoreWriter(CrashDirectory directory, VmcoreLayout layout, FileStream stream, PageMap? received = null)
    {
        _directory = directory;
        _stream = stream;
        _file = stream.SafeFileHandle;
        Layout = layout;
        Pages = received ?? new PageMap(layout.PageCount);
        EarlierPages = Pages.Accounted;
        _present = received is null ? null : new byte[layout.PageSize];
    }

    /// <summary>Where everything lies in the file.</summary>
    public VmcoreLayout Layout { get; }

    /// <summary>Which pages are accounted for. A page's bytes have been handed to the kernel before its bit is set.</summary>
    public PageMap Pages { get; }

    /// <summary>Pages that were accounted for when the file was opened again, of whatever kind.</summary>
    public ulong EarlierPages { get; }

    /// <summary>Pages that came with bytes other than zero.</summary>
    public ulong StoredPages { get; private set; }

    /// <summary>Pages that came and held only zeros.</summary>
    public ulong ZeroPages { get; private set; }

    /// <summary>Pages the client said it has no memory for.</summary>
    public ulong ReservedPages { get; private set; }

    /// <summary>Pages the client could not read.</summary>
    public ulong UnreadablePages { get; private set; }

    /// <summary>Pages the client left out, of those that were not accounted for before.</summary>
    public ulong LeftOutCount { get; private set; }

    /// <summary>Bytes of the complete file, once there is one.</summary>
    public long CompleteSize { get; private set; }

    /// <summary>Makes <c>vmcore-incomplete</c> (mode 0600, full length, header written, everything else a hole).</summary>
    /// <param name="directory">Directory of the crash.</param>
    /// <param name="layout">Where everything lies.</param>
    /// <exception cref="IOException">The file exists, the disk refuses, or the file system cannot hold a file of that length.</exception>
    public static VmcoreWriter Create(CrashDirectory directory, VmcoreLayout layout)
    {
        FileStream stream = directory.CreateFile(IncompleteName);
        try
        {
            RandomAccess.Write(stream.SafeFileHandle, layout.Header.Span, 0);
            RandomAccess.SetLength(stream.SafeFileHandle, layout.FileSize);
            return new VmcoreWriter(directory, layout, stream);
        }
        catch
        {
            stream.Dispose();
            directory.Delete(IncompleteName);
            throw;
        }
    }

    /// <summary>Opens <c>vmcore-incomplete</c> again, to go on with it.</summary>
    /// <param name="directory">Directory of the crash.</param>
    /// <param name="layout">Where everything lies.</param>
    /// <param name="received">The pages in it; becomes the writer's.</param>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    public static VmcoreWriter Open(CrashDirectory directory, VmcoreLayout layout, PageMap received)
    {
        var stream = new FileStream(directory.File(IncompleteName), new FileStreamOptions
        {
            Mode = FileMode.Open,
            Access = FileAccess.ReadWrite,
            Share = FileShare.Read | FileShare.Delete,
            BufferSize = 0,
        });
        return new VmcoreWriter(directory, layout, stream, received);
    }

    /// <summary>Makes durable what was written until now. Blocks on the disk; from any thread.</summary>
    /// <exception cref="IOException">The disk refuses: pages may be lost.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public void Sync() => RandomAccess.FlushToDisk(_file);

    /// <summary>Stores one page at each of its file positions.</summary>
    /// <param name="pfn">Page frame number.</param>
    /// <param name="page">The page's bytes.</param>
    /// <returns>False when nothing was stored: the page is accounted for already or lies outside the dump.</returns>
    /// <exception cref="ArgumentException">The bytes are not one page.</exception>
    /// <exception cref="IOException">The disk refuses; the page is not accounted for.</exception>
    public bool WritePage(ulong pfn, ReadOnlySpan<byte> page)
    {
        if (page.Length != Layout.PageSize)
            throw new ArgumentException($"a page has {Layout.PageSize} bytes, not {page.Length}", nameof(page));
        if (pfn >= Layout.PageCount || Pages.Contains(pfn))
            return false;
        bool isZero = !page.ContainsAnyExcept((byte)0);
        long address = (long)(pfn * Layout.PageSize);
        foreach (long position in Layout.Positions(pfn))
        {
            if (!isZero || !IsHole(position + address))
                RandomAccess.Write(_file, page, position + address);
        }

        if (isZero)
            ZeroPages++;
        else
            StoredPages++;
        return Pages.Add(pfn);
    }

    /// <summary>
    /// Whether zeros lie there anyway. Only the end of an earlier process may have left bytes of a page that is not accounted for.
    /// </summary>
    private bool IsHole(long offset) =>
        _present is null || (RandomAccess.Read(_file, _present, offset) == _present.Length && !_present.AsSpan().ContainsAnyExcept((byte)0));

    /// <summary>Accounts for pages that are no memory.</summary>
    /// <param name="first">First page frame number.</param>
    /// <param name="count">Number of pages; what lies outside the dump is cut off.</param>
    public void MarkReserved(ulong first, ulong count) => ReservedPages += Pages.AddRange(first, count);

    /// <summary>Accounts for pages the client left out: the complete file will say that they are not in it.</summary>
    /// <param name="first">Page of the first bit, a multiple of 8.</param>
    /// <param name="map">One bit a page, bit n &amp; 7 of byte n / 8; what lies outside the dump is ignored.</param>
    /// <exception cref="IOException">The disk refuses; nothing is accounted for.</exception>
    public void MarkLeftOut(ulong first, ReadOnlySpan<byte> map)
    {
        _leftOut ??= LeftOutPages.Create(_directory);
        _leftOut.Write(first, map);
        for (int i = 0; i < map.Length * 8; i++)
        {
            if ((map[i >> 3] >> (i & 7) & 1) != 0 && Pages.Add(first + (ulong)i))
                LeftOutCount++;
        }
    }

    /// <summary>Accounts for a page the client could not read.</summary>
    /// <param name="pfn">Page frame number.</param>
    public void MarkUnreadable(ulong pfn)
    {
        if (Pages.Add(pfn))
            UnreadablePages++;
    }

    /// <summary>
    /// Closes the file, makes it durable and gives it its final name, never replacing another. Blocks on the disk: not for an engine
    /// thread.
    /// </summary>
    /// <exception cref="InvalidOperationException">A page is not accounted for.</exception>
    /// <exception cref="IOException">The disk refuses, or <c>vmcore</c> exists; <c>vmcore-incomplete</c> stays.</exception>
    public void Complete()
    {
        if (!Pages.IsComplete)
            throw new InvalidOperationException($"{Pages.PageCount - Pages.Accounted} pages are missing");
        _stream.Dispose();
        if (_leftOut is null)
            _directory.Complete(IncompleteName, CompleteName);
        else
        {
            _leftOut.Dispose();
            LeftOutPages.Convert(_directory);
        }

        CompleteSize = new FileInfo(_directory.File(CompleteName)).Length;
    }

    /// <summary>Closes the file; what was received stays in <c>vmcore-incomplete</c>.</summary>
    public void Dispose()
    {
        _stream.Dispose();
        _leftOut?.Dispose();
    }

    /// <summary>Closes the file and removes it, so that others have its room.</summary>
    /// <exception cref="IOException">It cannot be removed.</exception>
    public void Remove()
    {
        Dispose();
        _directory.Delete(IncompleteName);
        _directory.Delete(LeftOutPages.FileName);
    }
}
