using Netdump.Kernel.Modules;
using Netdump.Kernel.Symbols;
using Netdump.Kernel.Types;
using Netdump.Vmcore;

namespace Netdump.Kernel.Tests.Modules;

/// <summary>Modules of a real kernel whose memory was changed.</summary>
public sealed class HostileModulesTests : IDisposable
{
    private readonly VmcoreFile _dump = VmcoreFile.Open(Crashes.Linux61FourLevel);
    private readonly PatchedMemory _memory;
    private readonly KernelSymbols _symbols;
    private readonly KernelTypes _types;
    private readonly ModuleList _modules;
    private readonly Gaps _gaps = new();

    public HostileModulesTests()
    {
        _memory = new(_dump);
        _symbols = KernelSymbols.Open(_dump.OpenKernelMemory(), _dump.RequireInfo(), _dump.Machine, _gaps)!;
        _types = KernelTypes.Open(_memory.Memory, _symbols, _dump.RequireInfo(), _gaps)!;
        _modules = ModuleList.Open(_dump.OpenKernelMemory(), _symbols, KernelTypes.Open(_dump.OpenKernelMemory(), _symbols, _dump.RequireInfo(), _gaps), _gaps);
        Assert.Empty(_gaps.All);
    }

    public void Dispose() => _dump.Dispose();

    [Fact]
    public void A_ring_that_leads_back_into_itself_gives_what_came_before_and_a_gap()
    {
        Write(Place(_modules[4], "list.next"), Place(_modules[2], "list.next"));
        Assert.Equal(_modules.Take(5).Select(module => module.Name), Open().Take(5).Select(module => module.Name));
        Assert.Equal("modules", Assert.Single(_gaps.All).Key);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(0x41414141UL)]
    [InlineData(0xffff_ffff_ffff_fff8UL)]
    public void A_ring_that_leads_nowhere_ends_with_a_gap(ulong next)
    {
        Write(Place(_modules[2], "list.next"), next);
        var modules = Open();
        Assert.Equal(_modules.Take(3).Select(module => module.Name), modules.Select(module => module.Name));
        Assert.False(modules.IsWhole);
        Assert.Single(_gaps.All);
    }

    [Fact]
    public void A_module_that_is_still_being_set_up_is_not_listed()
    {
        _memory.Write(Place(_modules[3], "state"), 3u);
        Assert.Equal(_modules.Where((_, i) => i != 3).Select(module => module.Name), Open().Select(module => module.Name));
        Assert.Empty(_gaps.All);
    }

    [Fact]
    public void A_symbol_table_without_end_or_without_memory_is_a_gap_of_its_module_alone()
    {
        var table = _types.At("module", _modules[0].Address)["kallsyms"].Pointer!.Value;
        _memory.Write(table + (ulong)_types.OffsetOf("mod_kallsyms", "num_symtab")!.Value, uint.MaxValue);
        var other = _types.At("module", _modules[1].Address)["kallsyms"].Pointer!.Value;
        Write(other + (ulong)_types.OffsetOf("mod_kallsyms", "symtab")!.Value, 0x1234);
        var modules = Open();
        Assert.Empty(modules[0].Symbols);
        Assert.Empty(modules[1].Symbols);
        Assert.Equal([$"symbols of module {modules[0].Name}", $"symbols of module {modules[1].Name}"], _gaps.All.Select(gap => gap.Key));
        Assert.Equal(_modules[2].Symbols, modules[2].Symbols);
    }

    [Fact]
    public void Names_that_lie_beyond_the_string_table_are_left_out()
    {
        var table = _types.At("module", _modules[0].Address)["kallsyms.symtab"].Pointer!.Value;
        _memory.Write(table + 24, uint.MaxValue);
        var modules = Open();
        Assert.Equal(_modules[0].SymbolCount - 1, modules[0].SymbolCount);
    }

    [Fact]
    public void Item53_files_that_are_distances_from_the_entrys_start_read_the_same()
    {
        // As until 5.18: the distance to the file counts from the entry, not from itself, four bytes behind.
        Assert.True(_symbols.TryFind("__start___bug_table", out var start));
        var right = BugTable.Open(_dump.OpenKernelMemory(), _symbols, _types, _modules, _gaps)!;
        var (size, file) = (_types.SizeOf("bug_entry")!.Value, _types.OffsetOf("bug_entry", "file_disp")!.Value);
        var (fromEntry, fromItself) = (Text(start, 0), Text(start, file));
        Assert.NotEqual(fromEntry, fromItself);
        var shift = fromItself == right.All.First().File ? file : -file;
        for (var i = 0; i < right.Count; i++)
        {
            var at = start + (ulong)(i * size + file);
            Assert.True(_dump.OpenKernelMemory().TryReadInt32(at, out var distance));
            _memory.Write(at, unchecked((uint)(distance + shift)));
            if (i > 200)
                break;
        }
        var other = BugTable.Open(_memory.Memory, _symbols, _types, _modules, _gaps)!;
        Assert.Equal(right.All.Take(200).Select(entry => (entry.File, entry.Line)), other.All.Take(200).Select(entry => (entry.File, entry.Line)));

        string Text(ulong entry, int from)
        {
            Assert.True(_memory.Memory.TryReadInt32(entry + (ulong)file, out var distance));
            _memory.Memory.TryReadText(unchecked(entry + (ulong)from + (ulong)(long)distance), 100, out var text);
            return System.Text.Encoding.ASCII.GetString(text);
        }
    }

    private ulong Place(KernelModule module, string member) => module.Address + (ulong)_types.OffsetOf("module", member)!.Value;

    private void Write(ulong address, ulong value) => _memory.Write(address, BitConverter.GetBytes(value));

    private ModuleList Open() => ModuleList.Open(_memory.Memory, _symbols, _types, _gaps);
}
