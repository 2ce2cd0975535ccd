using Netdump.Kernel.Modules;
using Netdump.Kernel.Symbols;
using Netdump.Kernel.Types;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel;

/// <summary>A dead kernel, as far as its dump tells: the root that every part of the analysis hangs from. For one thread.</summary>
/// <remarks>Each part is read when it is first asked for. One that cannot be read is null and noted in <see cref="Gaps"/>.</remarks>
public sealed class CrashedKernel
{
    private readonly Lazy<KernelSymbols?> _symbols;
    private readonly Lazy<KernelTypes?> _types;
    private ModuleList? _modules;
    private bool _isOpening;

    /// <summary>Begins an analysis.</summary>
    /// <param name="dump">The dump; the caller keeps it open.</param>
    /// <exception cref="VmcoreFormatException">Another machine than x86_64 and arm64, or the dump lacks what reading kernel memory needs.</exception>
    public CrashedKernel(VmcoreFile dump)
    {
        Dump = dump;
        Info = dump.RequireInfo();
        Memory = dump.OpenKernelMemory();
        _symbols = new(OpenSymbols, isThreadSafe: false);
        _types = new(OpenTypes, isThreadSafe: false);
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
