using System.Buffers.Binary;
using System.Text;
using Netdump.Kernel.Symbols;
using Netdump.Kernel.Types;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Modules;

/// <summary>The BUGs and WARNs of the kernel and its modules: from the trapping instruction to file and line (lib/bug.c).</summary>
/// <remarks>
/// Addresses in an entry are distances. That of the code counts from its own place. That of the file counted from the start of the entry
/// until 5.18 and from its own place since, so both are tried: the right one leads to where a name begins.
/// </remarks>
public sealed class BugTable
{
    private const int MaximumCount = 1 << 18;
    private const int Samples = 16;
    private const int LongestPath = 256;

    private readonly KernelMemory _memory;
    private readonly ModuleList _modules;
    private readonly AddressRange _image;
    private readonly AddressRange _trap;
    private readonly Layout _layout;
    private readonly bool _isFileFromEntry;
    private byte[]? _imageEntries;

    private BugTable(KernelMemory memory, KernelSymbols symbols, ModuleList modules, Layout layout, AddressRange image)
    {
        (_memory, _modules, _layout, _image) = (memory, modules, layout, image);
        if (symbols.TryFindInImage("__WARN_trap", out var trap) && symbols.TryResolve(trap, out var match))
            _trap = new(trap, trap + match.Size);
        _isFileFromEntry = layout.File >= 0 && IsFileFromEntry();
    }

    /// <summary>Entries of the kernel image.</summary>
    public int Count => (int)((_image.End - _image.Start) / (ulong)_layout.Size);

    /// <summary>Finds the table.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="symbols">Its symbols.</param>
    /// <param name="types">Its types.</param>
    /// <param name="modules">Its modules.</param>
    /// <param name="gaps">Told when there is none.</param>
    public static BugTable? Open(KernelMemory memory, KernelSymbols? symbols, KernelTypes? types, ModuleList modules, Gaps gaps)
    {
        if (symbols is null || types is null)
        {
            gaps.Add("bug table", symbols is null ? "the kernel's symbols are missing" : "the kernel's types are missing");
            return null;
        }
        if (Layout.From(types) is not { } layout || !symbols.TryFindInImage("__start___bug_table", out var start)
            || !symbols.TryFindInImage("__stop___bug_table", out var end))
        {
            gaps.Add("bug table", "this kernel has none, or one of another form");
            return null;
        }
        if (end < start || (end - start) / (ulong)layout.Size > MaximumCount)
        {
            gaps.Add("bug table", $"__stop___bug_table 0x{end:x} does not follow __start___bug_table 0x{start:x}");
            return null;
        }
        return new(memory, symbols, modules, layout, new(start, end));
    }

    /// <summary>The entry of the code at an address.</summary>
    /// <param name="address">The instruction that trapped: rip of the registers, not a return address.</param>
    /// <param name="entry">The entry.</param>
    /// <returns>False when the code there is no BUG and no WARN.</returns>
    public bool TryFind(ulong address, out BugEntry entry)
    {
        if (_modules.Find(address) is { } module)
        {
            for (var i = 0; i < module.BugCount; i++)
            {
                var at = unchecked(module.BugTable + (ulong)((long)i * _layout.Size));
                if (!_memory.TryReadInt32(at + (ulong)_layout.Code, out var distance))
                    break;
                if (CodeOf(at, distance) == address && TryRead(at, out entry))
                    return true;
            }
            entry = default;
            return false;
        }
        if (_imageEntries is null)
        {
            _imageEntries = new byte[Count * _layout.Size];
            var got = _memory.Read(_image.Start, _imageEntries);
            _imageEntries = _imageEntries[..(got / _layout.Size * _layout.Size)];
        }
        for (var at = 0; at < _imageEntries.Length; at += _layout.Size)
            if (CodeOf(_image.Start + (ulong)at, BinaryPrimitives.ReadInt32LittleEndian(_imageEntries.AsSpan(at + _layout.Code))) == address)
                return TryRead(_image.Start + (ulong)at, out entry);
        entry = default;
        return false;
    }

    /// <summary>The entry that a trap reports: <see cref="TryFind(ulong, out BugEntry)"/>, and since 6.19 that of a WARN with arguments.</summary>
    /// <param name="instruction">The instruction that trapped: rip of the registers.</param>
    /// <param name="firstArgument">rdi of the registers: the address of the entry when the trap was in __WARN_trap.</param>
    /// <param name="entry">The entry.</param>
    public bool TryFind(ulong instruction, ulong firstArgument, out BugEntry entry)
    {
        if (!_trap.Contains(instruction))
            return TryFind(instruction, out entry);
        entry = default;
        return IsEntry(firstArgument) && TryRead(firstArgument, out entry);
    }

    /// <summary>All entries of the kernel image; some are of init code that is gone.</summary>
    public IEnumerable<BugEntry> All
    {
        get
        {
            for (var i = 0; i < Count; i++)
                if (TryRead(_image.Start + (ulong)((long)i * _layout.Size), out var entry))
                    yield return entry;
        }
    }

    private bool IsEntry(ulong address)
    {
        if (_image.Contains(address))
            return (address - _image.Start) % (ulong)_layout.Size == 0;
        foreach (var module in _modules)
            if (address >= module.BugTable && address - module.BugTable < (ulong)((long)module.BugCount * _layout.Size))
                return (address - module.BugTable) % (ulong)_layout.Size == 0;
        return false;
    }

    private bool TryRead(ulong at, out BugEntry entry)
    {
        entry = default;
        Span<byte> bytes = stackalloc byte[Layout.Largest];
        bytes = bytes[.._layout.Size];
        if (!_memory.TryRead(at, bytes))
            return false;
        var code = CodeOf(at, BinaryPrimitives.ReadInt32LittleEndian(bytes[_layout.Code..]));
        var file = _layout.File < 0 ? null
            : TextAt(at + (_isFileFromEntry ? 0 : (ulong)_layout.File), BinaryPrimitives.ReadInt32LittleEndian(bytes[_layout.File..]));
        var format = _layout.Format < 0 ? null : TextAt(at + (ulong)_layout.Format, BinaryPrimitives.ReadInt32LittleEndian(bytes[_layout.Format..]));
        entry = new(
            at, code, file, _layout.Line < 0 ? 0 : BinaryPrimitives.ReadUInt16LittleEndian(bytes[_layout.Line..]),
            BinaryPrimitives.ReadUInt16LittleEndian(bytes[_layout.Flags..]), string.IsNullOrEmpty(format) ? null : format, _modules.Find(code)?.Name);
        return true;
    }

    private ulong CodeOf(ulong entry, int distance) => unchecked(entry + (ulong)_layout.Code + (ulong)(long)distance);

    private string? TextAt(ulong from, int distance) =>
        distance != 0 && _memory.TryReadText(unchecked(from + (ulong)(long)distance), LongestPath, out var text) ? Encoding.UTF8.GetString(text) : null;

    private bool IsFileFromEntry()
    {
        var (fromEntry, fromItself) = (0, 0);
        for (var i = 0; i < int.Min(Count, Samples); i++)
        {
            var at = _image.Start + (ulong)((long)i * _layout.Size);
            if (!_memory.TryReadInt32(at + (ulong)_layout.File, out var distance))
                continue;
            fromEntry += IsFileName(unchecked(at + (ulong)(long)distance)) ? 1 : 0;
            fromItself += IsFileName(unchecked(at + (ulong)_layout.File + (ulong)(long)distance)) ? 1 : 0;
        }
        return fromEntry > fromItself;
    }

    private bool IsFileName(ulong address) =>
        _memory.TryReadByte(address - 1, out var before) && before == 0
        && _memory.TryReadText(address, LongestPath, out var text) && text is [.., (byte)'.', (byte)'c' or (byte)'h'];

    // Offsets in struct bug_entry; -1 for what this kernel's entries do not have.
    private readonly record struct Layout(int Size, int Code, int File, int Format, int Line, int Flags)
    {
        public const int Largest = 64;

        public static Layout? From(KernelTypes types)
        {
            var layout = new Layout(
                types.SizeOf("bug_entry") ?? 0, types.OffsetOf("bug_entry", "bug_addr_disp") ?? -1, types.OffsetOf("bug_entry", "file_disp") ?? -1,
                types.OffsetOf("bug_entry", "format_disp") ?? -1, types.OffsetOf("bug_entry", "line") ?? -1, types.OffsetOf("bug_entry", "flags") ?? -1);
            return layout is { Size: > 0 and <= Largest, Code: >= 0, Flags: >= 0 } && int.Max(layout.Code, int.Max(layout.File, layout.Format)) <= layout.Size - 4
                && int.Max(layout.Line, layout.Flags) <= layout.Size - 2 ? layout : null;
        }
    }
}
