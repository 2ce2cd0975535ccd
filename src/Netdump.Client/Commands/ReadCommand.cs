using System.CommandLine;
using System.Globalization;
using System.Text;
using Netdump.Kernel;
using Netdump.Kernel.Symbols;
using Netdump.Vmcore;
using Netdump.Vmcore.Kdump;
using Netdump.Vmcore.Memory;

namespace Netdump.Client.Commands;

/// <summary><c>netdump read</c>: bytes of a dump's memory.</summary>
internal static class ReadCommand
{
    private const int Chunk = 64 << 10;

    private const string Examples = """
        netdump read vmcore ffffffff81000000 256
        netdump read vmcore 0x9f000 0x1000 --physical
        netdump read vmcore ffffd1d240013a00 256 -s             words, with symbols for those that are places of the kernel
        netdump read vmcore --search ffff8e9b011f8000           who points there?
        netdump read vmcore ffffffff82a15500 390 --json | jq -r .hex
        """;

    public static Command Create()
    {
        var file = DumpArgument.Create("FILE");
        var address = new Argument<string?>("ADDRESS") { Description = "Where to begin, hexadecimal, with or without 0x", Arity = ArgumentArity.ZeroOrOne };
        var length = new Argument<string?>("LENGTH") { Description = "How many bytes, decimal, or hexadecimal after 0x", Arity = ArgumentArity.ZeroOrOne };
        var symbols = new Option<bool>("--symbols", "-s") { Description = "Words of 8 bytes, those that are places in the kernel by their symbols" };
        var search = new Option<string?>("--search") { Description = "Look for this word of 8 bytes in all memory, instead of reading at an address", HelpName = "VALUE" };
        var physical = new Option<bool>("--physical", "-p") { Description = "The address is a physical one; without this it is the kernel's virtual" };
        var json = new Option<bool>("--json") { Description = "One JSON object with the bytes in hexadecimal" };
        var command = new CommandWithExamples("read", "Prints memory of a dump in hexadecimal. Exit code 1 when a page of it is not there.", Examples)
        {
            file, address, length, physical, symbols, search, json,
        };
        command.Validators.Add(r =>
        {
            if (r.GetValue(search) is { } s)
            {
                if (ParseAddress(s) is null)
                    r.AddError($"'{s}' is no hexadecimal value.");
                if (r.GetValue(address) is not null)
                    r.AddError("--search looks everywhere: leave ADDRESS and LENGTH out.");
                return;
            }
            if (r.GetValue(address) is null)
                r.AddError("ADDRESS is missing.");
            else if (r.GetValue(length) is null)
                r.AddError("LENGTH is missing.");
            if (r.GetValue(symbols) && (r.GetValue(physical) || r.GetValue(json)))
                r.AddError("--symbols prints words of the kernel's virtual memory: leave --physical and --json out.");
            if (r.GetValue(address) is { } a && ParseAddress(a) is null)
                r.AddError($"'{a}' is no hexadecimal address.");
            if (r.GetValue(length) is { } l && ParseLength(l) is null)
                r.AddError($"'{l}' is no number of bytes from 1 to 1073741824.");
        });
        command.SetAction(p =>
        {
            using var dump = DumpArgument.Open(p.GetRequiredValue(file));
            if (p.GetValue(search) is { } value)
                return Search(dump, ParseAddress(value)!.Value, p.GetValue(json));
            var (at, count) = (ParseAddress(p.GetRequiredValue(address)!)!.Value, ParseLength(p.GetRequiredValue(length)!)!.Value);
            return Read(dump, at, count, p.GetValue(physical), p.GetValue(json), Console.Out, p.GetValue(symbols) ? OpenSymbols(dump) : null);
        });
        return command;
    }

    /// <summary>Reads and prints up to the first byte that is not there.</summary>
    /// <exception cref="ClientException">A page is missing; what comes before it is printed.</exception>
    internal static int Read(VmcoreFile dump, ulong address, int length, bool isPhysical, bool asJson, TextWriter output, KernelSymbols? symbols = null)
    {
        var memory = isPhysical ? null : OpenMemory(dump);
        var buffer = new byte[Math.Min(length, Chunk)];
        var (done, got) = (0, 0);
        if (asJson)
            output.Write($"{{\"address\":\"0x{address:x}\",\"physical\":{(isPhysical ? "true" : "false")},\"hex\":\"");
        do
        {
            var part = buffer.AsSpan(0, Math.Min(length - done, buffer.Length));
            var at = unchecked(address + (ulong)done);
            got = memory is null ? dump.Physical.Read(at, part) : memory.Read(at, part);
            if (asJson)
                output.Write(Convert.ToHexStringLower(part[..got]));
            else if (symbols is not null)
                WordPrinter.Print(output, symbols, at, part[..got]);
            else
                Print(output, at, part[..got]);
            done += got;
        }
        while (got == buffer.Length && done < length);
        if (asJson)
            output.WriteLine($"\",\"length\":{done},\"complete\":{(done == length ? "true" : "false")}}}");
        return done == length ? 0 : throw new ClientException(Explain(dump, memory, unchecked(address + (ulong)done)));
    }

    // ^C ends the search and not the program, which still has to say how far it got.
    private static int Search(VmcoreFile dump, ulong value, bool asJson)
    {
        using CancellationTokenSource stop = new();
        ConsoleCancelEventHandler cancel = (_, e) =>
        {
            e.Cancel = true;
            stop.Cancel();
        };
        Console.CancelKeyPress += cancel;
        try
        {
            return MemorySearch.Run(dump, value, asJson, Console.Out, Console.Error, stop.Token);
        }
        finally
        {
            Console.CancelKeyPress -= cancel;
        }
    }

    private static KernelSymbols OpenSymbols(VmcoreFile dump)
    {
        try
        {
            CrashedKernel kernel = new(dump);
            return kernel.Symbols ?? throw new ClientException("the kernel's symbols cannot be read from this dump", "leave --symbols out");
        }
        catch (VmcoreFormatException e)
        {
            throw new ClientException(e.Message, "physical addresses can be read with --physical", e);
        }
    }

    private static KernelMemory OpenMemory(VmcoreFile dump)
    {
        try
        {
            return dump.OpenKernelMemory();
        }
        catch (VmcoreFormatException e)
        {
            throw new ClientException(e.Message, "physical addresses can be read with --physical", e);
        }
    }

    private static string Explain(VmcoreFile dump, KernelMemory? memory, ulong address)
    {
        if (memory is null)
            return $"physical address 0x{address:x}: {Explain(dump, address / (ulong)dump.PageSize)}";
        Span<byte> one = stackalloc byte[1];
        memory.TryRead(address, one, out var fault);
        return fault.Translation == TranslationResult.Mapped
            ? $"virtual address 0x{address:x}, physical 0x{fault.Physical:x}: {Explain(dump, fault.Physical / (ulong)dump.PageSize)}"
            : fault.ToString();
    }

    private static string Explain(VmcoreFile dump, ulong page)
    {
        var state = dump.Physical.StateOf(page);
        return state switch
        {
            PageState.NotMemory => $"page 0x{page:x} is no memory in this dump",
            PageState.Excluded => $"page 0x{page:x} is excluded: the filter left it out",
            PageState.Lost => $"page 0x{page:x} is lost: the dump is incomplete",
            _ => $"page 0x{page:x} is corrupt: {(dump.Physical as KdumpMemory)?.ExplainCorrupt(page) ?? "it cannot be read"}",
        };
    }

    // As xxd prints: address, sixteen bytes in pairs, the same as ASCII.
    private static void Print(TextWriter output, ulong address, ReadOnlySpan<byte> bytes)
    {
        var line = new StringBuilder(96);
        while (!bytes.IsEmpty)
        {
            var row = bytes[..Math.Min(16, bytes.Length)];
            line.Clear().Append(address.ToString("x16", CultureInfo.InvariantCulture)).Append(": ");
            for (var i = 0; i < 16; i++)
            {
                line.Append(i < row.Length ? row[i].ToString("x2", CultureInfo.InvariantCulture) : "  ");
                if (i % 2 == 1)
                    line.Append(' ');
            }
            line.Append(' ');
            foreach (var value in row)
                line.Append(value is >= 0x20 and < 0x7f ? (char)value : '.');
            output.WriteLine(line);
            address = unchecked(address + 16);
            bytes = bytes[row.Length..];
        }
    }

    private static ulong? ParseAddress(string text) =>
        ulong.TryParse(text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text.AsSpan(2) : text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;

    private static int? ParseLength(string text)
    {
        var isHex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        var parsed = int.TryParse(
            isHex ? text.AsSpan(2) : text, isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out var value);
        return parsed && value is > 0 and <= 1 << 30 ? value : null;
    }
}
