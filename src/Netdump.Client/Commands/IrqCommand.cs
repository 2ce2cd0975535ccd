using System.CommandLine;
using System.Globalization;
using Netdump.Kernel;
using Netdump.Kernel.Facts;

namespace Netdump.Client.Commands;

/// <summary><c>netdump irq</c>: interrupts, who handles them and how often they came.</summary>
internal static class IrqCommand
{
    private const string Unused = "    (unused)    ";

    private const string Examples = """
        netdump irq vmcore
        netdump irq vmcore --all                        numbers that nobody uses as well
        netdump irq vmcore --json | jq '.[] | select(.actions[] == "eth0") | .counts'
        netdump irq vmcore --format crash
        """;

    public static Command Create()
    {
        var file = DumpArgument.Create("FILE");
        var all = new Option<bool>("--all", "-a") { Description = "Also the numbers that nobody uses" };
        var (format, json) = (KernelArgument.Format(), KernelArgument.Json());
        var command = new CommandWithExamples("irq", "Prints the interrupts in use: how often each came, and who handles it.", Examples) { file, all, format, json };
        command.SetAction(p =>
        {
            using var dump = DumpArgument.Open(p.GetRequiredValue(file));
            var kernel = KernelArgument.Open(dump, p.GetRequiredValue(file));
            var interrupts = kernel.Facts.Interrupts;
            if (interrupts.Count == 0)
                throw KernelArgument.Absent(kernel, "interrupts");
            if (p.GetValue(format) is not null)
                WriteAsCrash(kernel, interrupts, Console.Out);
            else if (p.GetValue(json))
                WriteJson(interrupts.Where(i => p.GetValue(all) || i.Actions.Count > 0));
            else
                Write(kernel, interrupts, p.GetValue(all), Console.Out);
            KernelArgument.TellGaps(kernel);
            return 0;
        });
        return command;
    }

    private static void Write(CrashedKernel kernel, IReadOnlyList<Interrupt> interrupts, bool all, TextWriter output)
    {
        int[] processors = [.. kernel.Symbols!.Present];
        output.WriteLine($" IRQ  {string.Concat(processors.Select(cpu => $"{$"CPU{cpu}",10} "))} CHIP              NAME");
        var known = interrupts.ToDictionary(i => i.Number);
        var end = all ? Interrupt.Limit(kernel) ?? interrupts[^1].Number + 1 : interrupts[^1].Number + 1;
        for (var number = 0; number < end; number++)
            if (known.TryGetValue(number, out var interrupt) && (all || interrupt.Actions.Count > 0))
                output.WriteLine(
                    $"{number,4}  {string.Concat(interrupt.Counts.Select(c => $"{c,10} "))} {interrupt.Chip,-16}  {Names(interrupt)}".TrimEnd());
            else if (all)
                output.WriteLine($"{number,4}  -");
    }

    private static string Names(Interrupt interrupt) => string.Join(", ", interrupt.Actions.Select(a => a.Name));

    private static void WriteAsCrash(CrashedKernel kernel, IReadOnlyList<Interrupt> interrupts, TextWriter output)
    {
        output.WriteLine(" IRQ   IRQ_DESC/_DATA      IRQACTION      NAME");
        var known = interrupts.ToDictionary(i => i.Number);
        for (var number = 0; number < (Interrupt.Limit(kernel) ?? interrupts[^1].Number + 1); number++)
        {
            var interrupt = known.GetValueOrDefault(number);
            output.Write($"{$" {number,2}",-6}{interrupt?.Address.ToString("x16", CultureInfo.InvariantCulture) ?? Unused}  ");
            if (interrupt is null || interrupt.Actions.Count == 0)
                output.WriteLine($"{Unused}  ");
            else
                for (var i = 0; i < interrupt.Actions.Count; i++)
                    output.WriteLine($"{(i == 0 ? "" : new string(' ', 24))}{interrupt.Actions[i].Address:x16}  \"{interrupt.Actions[i].Name}\"");
        }
    }

    private static void WriteJson(IEnumerable<Interrupt> interrupts) => KernelArgument.WriteJson(json =>
    {
        json.WriteStartArray();
        foreach (var interrupt in interrupts)
        {
            json.WriteStartObject();
            json.WriteNumber("number", interrupt.Number);
            json.WriteString("address", KernelArgument.Hex(interrupt.Address));
            json.WriteString("chip", interrupt.Chip);
            json.WriteNumber("hardware_number", interrupt.HardwareNumber);
            json.WriteStartArray("actions");
            foreach (var action in interrupt.Actions)
                json.WriteStringValue(action.Name);
            json.WriteEndArray();
            json.WriteStartArray("counts");
            foreach (var count in interrupt.Counts)
                json.WriteNumberValue(count);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });
}
