using System.Buffers.Binary;
using Netdump.Fuzz.Tests.Engine;
using Netdump.Kernel;
using Netdump.Kernel.Symbols;
using Netdump.Kernel.Tests.Symbols;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>
/// Tables of kallsyms in each of their forms with bytes changed: they are refused with a reason, or each symbol they have is found both ways.
/// An input says the form, then which byte becomes what, three bytes a change.
/// </summary>
public sealed class KernelSymbolTables : FuzzTarget
{
    private static readonly KernelSymbol[] Symbols =
    [
        new(0, 'A', "fixed_percpu_data", null), new(0x20, 'A', "cpu_number", null), new(KallsymsImage.Text, 'T', "_stext", null),
        new(KallsymsImage.Text, 'T', "_text", null), new(KallsymsImage.Text + 0x40, 't', "first.cold", null),
        new(KallsymsImage.Text + 0x100, 't', new string('l', 200), null), new(KallsymsImage.Text + 0x200, 't', "twice", null),
        new(KallsymsImage.Text + 0x300, 't', "twice", null), new(KallsymsImage.Text + 0x1000, 'T', "_etext", null),
        new(KallsymsImage.Text + 0x2000, 'D', "init_uts_ns", null), new(KallsymsImage.End, 'B', "_end", null),
    ];

    public override int MaximumLength => 1 + 64 * 3;

    public override double Share => 0.1;

    public override IEnumerable<byte[]> Seeds => Enumerable.Range(0, 8).Select(form => new[] { (byte)form });

    public override void Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
            return;
        KallsymsImage image = new(Symbols, (AddressMode)(input[0] & 3), longLengths: (input[0] & 4) == 0);
        for (input = input[1..]; input.Length >= 3; input = input[3..])
            image.Change(BinaryPrimitives.ReadUInt16LittleEndian(input), input[2]);
        Gaps gaps = new();
        KernelSymbols? symbols = image.Open(gaps, search: false);
        if (symbols is null)
        {
            Require(gaps.All.Any(), "a table that is refused has a reason");
            return;
        }
        foreach (KernelSymbol symbol in symbols.All.Take(100))
        {
            // Bytes that are no UTF-8 cannot be asked for.
            Require(symbol.Name.Contains('\ufffd', StringComparison.Ordinal) || symbols.FindAll(symbol.Name).Contains(symbol.Address), "a symbol is found by its name");
            if (symbols.TryResolve(symbol.Address, out SymbolMatch match))
                Require(match.Start <= symbol.Address, "an address lies behind its symbol");
            Require(symbols.Render(symbol.Address + 3, isReturnAddress: true).Length > 0, "each address has a text");
        }
    }
}
