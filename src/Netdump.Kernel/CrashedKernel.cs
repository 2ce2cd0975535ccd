using Netdump.Kernel.Facts;
using Netdump.Kernel.Modules;
using Netdump.Kernel.Symbols;
using Netdump.Kernel.Tasks;
using Netdump.Kernel.Types;
using Netdump.Kernel.Unwind;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel;

/// <summary>A dead kernel, as far as its dump tells: the root that every part of the analysis hangs from. For one thread.</summary>
/// <remarks>Each part is read when it is first asked for. One that cannot be read is null and noted in <see cref="Gaps"/>.</remarks>
public sealed class CrashedKernel
{
    private readonly Lazy<KernelSymbols?> _symbols;
    private readonly Lazy<KernelTypes?> _types;
    private readonly Lazy<Unwinder?> _unwinder;
    private readonly Lazy<BugTable?> _bugs;
    private ModuleList? _modules;
    private bool _isOpening;

    /// <summary>Begins an analysis.</summary>
    /// <param name="dump">The dump; the caller keeps it open.</param>
    /// <exception cref="VmcoreFormatException">Another machine than x86_64 and arm64, or the dump lacks what reading kernel memory needs.</exception>
    public CrashedKernel(VmcoreFile dump)
        : this(dump, dump.OpenKernelMemory())
    {
    }

    /// <summary>Begins an analysis of other memory than the dump's, which a test has changed.</summary>
    internal CrashedKernel(VmcoreFile dump, KernelMemory memory)
    {
        Dump = dump;
        Info = dump.RequireInfo();
        Memory = memory;
        _symbols = new(OpenSymbols, isThreadSafe: false);
        _types = new(OpenTypes, isThreadSafe: false);
        _unwinder = new(() => Unwind.Unwinder.Open(this), isThreadSafe: false);
        _bugs = new(() => BugTable.Open(Memory, Symbols, Types, Modules, Gaps), isThreadSafe: false);
    }

    /// <summary>The dump.</summary>
    public VmcoreFile Dump { get; }

    /// <summary>The kernel's VMCOREINFO.</summary>
    public VmcoreInfo Info { get; }

    /// <summary>The kernel's virtual memory.</summary>
    public KernelMemory Memory { get; }

    /// <summary>e_machine: see <see cref="Machines"/>.</summary>
    public ushort Machine => Dump.Machine;

    /// <summary>The kernel's symbols; null when they cannot be had.</summary>
    public KernelSymbols? Symbols => _symbols.Value;

    /// <summary>What could not be read.</summary>
    public Gaps Gaps { get; } = new();

    /// <summary>The kernel's types out of its BTF; null when it has none.</summary>
    public KernelTypes? Types => _types.Value;

    /// <summary>Walks the kernel's stacks; null when its symbols cannot be had.</summary>
    public Unwinder? Unwinder => _unwinder.Value;

    /// <summary>The kernel's modules; empty when they cannot be had.</summary>
    public ModuleList Modules
    {
        get
        {
            if (_modules is null)
            {
                var (symbols, types) = (Symbols, Types);
                _isOpening = true;
                _modules = ModuleList.Open(Memory, symbols, types, Gaps);
                _isOpening = false;
            }
            return _modules;
        }
    }

    /// <summary>What the machine and its kernel were like.</summary>
    public MachineFacts Facts => field ??= new MachineFacts(this);

    /// <summary>A variable of the kernel's image as an object; one that does not exist when symbol or type is absent.</summary>
    /// <param name="symbol">The variable.</param>
    /// <param name="type">Its type: BTF does not know it.</param>
    public KernelObject Variable(string symbol, string type) => Types is { } types && TryFind(symbol, out var address) ? types.At(type, address) : default;

    /// <summary>The address of a symbol, out of the symbols or, without them, out of VMCOREINFO.</summary>
    public bool TryFind(string symbol, out ulong address)
    {
        if (Symbols is { } symbols && symbols.TryFind(symbol, out address))
            return true;
        var said = Info.Symbol(symbol);
        address = said ?? 0;
        return said is not null;
    }

    /// <summary>The value of a variable of 8 bytes; null when it is absent or not in the dump.</summary>
    public ulong? ReadLong(string symbol) => TryFind(symbol, out var address) && Memory.TryReadUInt64(address, out var value) ? value : null;

    /// <summary>The value of a variable of 4 bytes; null when it is absent or not in the dump.</summary>
    public int? ReadInt(string symbol) => TryFind(symbol, out var address) && Memory.TryReadInt32(address, out var value) ? value : null;

    /// <summary>All tasks, what each processor ran, and what sleepers wait for; an empty list when they cannot be read.</summary>
    public TaskList Tasks => field ??= new TaskList(new TaskSource(this));

    /// <summary>Where the code reports bugs and warnings; null when that cannot be had.</summary>
    public BugTable? Bugs => _bugs.Value;

    private KernelSymbols? OpenSymbols()
    {
        var symbols = KernelSymbols.Open(Memory, Info, Machine, Gaps);
        // Modules are found by symbols and types, so a symbol that is looked for meanwhile can only be the image's.
        symbols?.UseModules(() => _isOpening ? null : Modules);
        return symbols;
    }

    private KernelTypes? OpenTypes()
    {
        _isOpening = true;
        var types = KernelTypes.Open(Memory, Symbols, Info, Gaps);
        _isOpening = false;
        return types;
    }
}
