using System.CommandLine;
using Netdump.Kernel;
using Netdump.Kernel.Facts;

namespace Netdump.Client.Commands;

/// <summary><c>netdump kmem</c>: memory, the slab allocator, and what an address is.</summary>
internal static class KmemCommand
{
    private const string Examples = """
        netdump kmem vmcore
        netdump kmem vmcore ffff8e9b011f8000            what this address is
        netdump kmem vmcore --slabs | head              the largest caches first
        netdump kmem vmcore --json | jq .zones
        netdump kmem vmcore --format crash              as kmem -i; with --slabs as kmem -s
        """;

    public static Command Create()
    {
        var file = DumpArgument.Create("FILE");
        var place = new Argument<string?>("ADDRESS") { Description = "Hexadecimal or a symbol: say what it is", Arity = ArgumentArity.ZeroOrOne };
        var slabs = new Option<bool>("--slabs", "-s") { Description = "The caches of the slab allocator, the largest first" };
        var (format, json) = (KernelArgument.Format(), KernelArgument.Json());
        var command = new CommandWithExamples("kmem", "Prints the use of memory, of the slab allocator, or what an address is.", Examples) { file, place, slabs, format, json };
        command.Validators.Add(r =>
        {
            if (r.GetValue(place) is not null && (r.GetValue(slabs) || r.GetValue(format) is not null))
                r.AddError("An ADDRESS is a question of its own: leave --slabs and --format out.");
        });
        command.SetAction(p =>
        {
            using var dump = DumpArgument.Open(p.GetRequiredValue(file));
            var kernel = KernelArgument.Open(dump, p.GetRequiredValue(file));
            var isCrash = p.GetValue(format) is not null;
            if (p.GetValue(place) is { } address)
                Explain(AddressMeaning.Of(kernel, KernelArgument.Place(kernel, address)), p.GetValue(json));
            else if (p.GetValue(slabs))
                PrintSlabs(kernel, isCrash, p.GetValue(json));
            else if (kernel.Facts.Memory is var memory && memory.TotalPages is null)
                throw KernelArgument.Absent(kernel, "memory");
            else if (isCrash)
                MemoryText.WriteAsCrash(memory, Console.Out);
            else if (p.GetValue(json))
                KernelArgument.WriteJson(writer => MemoryText.WriteJson(writer, memory));
            else
                MemoryText.Write(memory, Console.Out);
            KernelArgument.TellGaps(kernel);
            return 0;
        });
        return command;
    }

    private static void Explain(AddressMeaning meaning, bool asJson)
    {
        if (!asJson)
        {
            Console.Out.WriteLine(meaning);
            return;
        }
        KernelArgument.WriteJson(json =>
        {
            json.WriteStartObject();
            json.WriteString("address", KernelArgument.Hex(meaning.Address));
            json.WriteString("symbol", meaning.Symbol);
            json.WriteString("stack_of", meaning.Task);
            json.WriteString("task_struct_of", meaning.TaskStruct);
            if (meaning.Slab is { } slab)
            {
                json.WriteStartObject("slab");
                json.WriteString("cache", slab.Cache);
                json.WriteString("object", KernelArgument.Hex(slab.Object));
                json.WriteNumber("offset", slab.Offset);
                json.WriteNumber("size", slab.Size);
                json.WriteBoolean("free", slab.IsFree);
                json.WriteEndObject();
            }
            if (meaning.Area is { } area)
            {
                json.WriteStartObject("area");
                json.WriteString("start", KernelArgument.Hex(area.Start));
                json.WriteString("end", KernelArgument.Hex(area.End));
                json.WriteString("caller", area.Caller);
                json.WriteEndObject();
            }
            if (meaning.Page is { } page)
            {
                json.WriteStartObject("page");
                json.WriteNumber("number", page.Number);
                json.WriteString("physical", KernelArgument.Hex(page.Physical));
                json.WriteString("structure", page.Structure is { } structure ? KernelArgument.Hex(structure) : null);
                json.WriteStartArray("flags");
                foreach (var flag in page.Flags)
                    json.WriteStringValue(flag);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteString("reason", meaning.Reason);
            json.WriteEndObject();
        });
    }

    private static void PrintSlabs(CrashedKernel kernel, bool isCrash, bool asJson)
    {
        var caches = kernel.Facts.SlabCaches;
        if (caches.Count == 0)
            throw KernelArgument.Absent(kernel, "slab caches");
        if (asJson && !isCrash)
        {
            KernelArgument.WriteJson(json =>
            {
                json.WriteStartArray();
                foreach (var cache in caches.OrderByDescending(c => c.Bytes))
                {
                    json.WriteStartObject();
                    json.WriteString("address", KernelArgument.Hex(cache.Address));
                    json.WriteString("name", cache.Name);
                    json.WriteNumber("object_size", cache.ObjectSize);
                    json.WriteNumber("allocated", cache.Allocated);
                    json.WriteNumber("objects", cache.Objects);
                    json.WriteNumber("slabs", cache.Slabs);
                    json.WriteNumber("slab_bytes", cache.SlabBytes);
                    json.WriteNumber("bytes", cache.Bytes);
                    json.WriteEndObject();
                }
                json.WriteEndArray();
            });
            return;
        }
        Console.Out.WriteLine(isCrash ? "CACHE             OBJSIZE  ALLOCATED     TOTAL  SLABS  SSIZE  NAME" : "CACHE             OBJSIZE  ALLOCATED     TOTAL  SLABS  SSIZE        BYTES  NAME");
        foreach (var cache in isCrash ? caches : [.. caches.OrderByDescending(c => c.Bytes)])
            Console.Out.WriteLine(
                $"{cache.Address:x16} {cache.ObjectSize,8} {cache.Allocated,10} {cache.Objects,9} {cache.Slabs,6} {cache.SlabBytes / 1024,5}k  "
                + $"{(isCrash ? "" : $"{DumpSummary.Size(cache.Bytes),11}  ")}{cache.Name}");
    }
}
