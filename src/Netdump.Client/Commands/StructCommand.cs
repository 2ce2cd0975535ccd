using System.CommandLine;
using Netdump.Kernel;
using Netdump.Kernel.Types;

namespace Netdump.Client.Commands;

/// <summary><c>netdump struct</c>: types of the dead kernel, and objects of them.</summary>
internal static class StructCommand
{
    private const string Examples = """
        netdump struct vmcore list_head
        netdump struct vmcore task_struct --offsets
        netdump struct vmcore uts_namespace init_uts_ns
        netdump struct vmcore task_struct.pid,comm,mm.owner init_task -x
        netdump struct vmcore rq.nr_running runqueues:1        of processor 1
        netdump struct vmcore task_struct.pid,comm init_task --list tasks
        netdump struct vmcore module.name modules --list list
        netdump struct vmcore =jiffies                  a variable whose type is known
        """;

    public static Command Create()
    {
        var file = DumpArgument.Create("FILE");
        var type = new Argument<string>("TYPE") { Description = "A structure, union, enum or typedef, and its members behind a dot, with commas between; or = and a variable" };
        var place = new Argument<string?>("ADDRESS") { Description = "Hexadecimal, a symbol, or a per-CPU symbol with :CPU behind it; +OFFSET", Arity = ArgumentArity.ZeroOrOne };
        var offsets = new Option<bool>("--offsets", "-o") { Description = "The offset of each member before it" };
        var hexadecimal = new Option<bool>("--hex", "-x") { Description = "Numbers in hexadecimal" };
        var list = new Option<string?>("--list", "-l") { Description = "All objects of the list that runs through this list_head of TYPE", HelpName = "MEMBER" };
        var tree = new Option<string?>("--tree", "-t") { Description = "All objects of the red-black tree, whose root ADDRESS is, that runs through this rb_node of TYPE", HelpName = "MEMBER" };
        var head = new Option<bool>("--head", "-H") { Description = "With --list: ADDRESS is the list's head, not an object" };
        var module = new Option<string?>("--module", "-m") { Description = "The type is this module's; without it all modules are searched", HelpName = "NAME" };
        var json = KernelArgument.Json();
        var command = new CommandWithExamples("struct", "Prints a type of the dead kernel, or an object of it, by the kernel's own BTF.", Examples)
        {
            file, type, place, offsets, hexadecimal, list, tree, head, module, json,
        };
        command.Validators.Add(r =>
        {
            if ((r.GetValue(list) is not null || r.GetValue(tree) is not null) && r.GetValue(place) is null)
                r.AddError("--list and --tree need an ADDRESS to begin at.");
            if (r.GetValue(list) is not null && r.GetValue(tree) is not null)
                r.AddError("A walk is along a --list or through a --tree.");
            if (r.GetValue(type) is { } name && name.StartsWith('=') && r.GetValue(place) is not null)
                r.AddError("A variable has its address: leave ADDRESS out.");
        });
        command.SetAction(p =>
        {
            using var dump = DumpArgument.Open(p.GetRequiredValue(file));
            var kernel = KernelArgument.Open(dump, p.GetRequiredValue(file));
            var wanted = StructRequest.Find(kernel, p.GetRequiredValue(type), p.GetValue(module), p.GetValue(place));
            var printer = new StructPrinter(kernel, wanted, p.GetValue(offsets), p.GetValue(hexadecimal));
            if (wanted.Address is null)
            {
                if (p.GetValue(json))
                    KernelArgument.WriteJson(printer.WriteLayout);
                else
                    printer.WriteLayout(Console.Out);
                return 0;
            }
            var objects = Objects(kernel, wanted, p.GetValue(list), p.GetValue(tree), p.GetValue(head));
            var isOne = p.GetValue(list) is null && p.GetValue(tree) is null;
            if (p.GetValue(json))
                KernelArgument.WriteJson(writer => printer.WriteObjects(writer, objects, isOne));
            else
                printer.WriteObjects(Console.Out, objects, isOne);
            KernelArgument.TellGaps(kernel);
            return 0;
        });
        return command;
    }

    private static IEnumerable<KernelObject> Objects(CrashedKernel kernel, StructRequest wanted, string? list, string? tree, bool isHead)
    {
        var (types, address) = (wanted.Types, wanted.Address!.Value);
        if (list is null && tree is null)
            return [types.At(wanted.TypeId, address)];
        var name = types.Type(types.Resolve(wanted.TypeId)).Name;
        var member = list ?? tree!;
        var at = types.FindMember(wanted.TypeId, member) ?? throw new ClientException($"{name} has no member {member}");
        if (tree is not null)
            return types.RbEntries(address, name, member);
        if (!isHead && wanted.IsSymbol && wanted.SymbolType != wanted.TypeId)
        {
            // The classic mistake is to take one for the other.
            isHead = true;
            Console.Error.WriteLine($"netdump: {wanted.Symbol} is taken for the list's head");
        }
        if (isHead)
            return types.ListEntries(address, name, member);
        Console.Error.WriteLine($"netdump: 0x{address:x} is taken for the first {name} of the list; --head takes it for the list's head");
        return types.ListEntries(address + at.Offset, name, member).Prepend(types.At(wanted.TypeId, address));
    }
}
