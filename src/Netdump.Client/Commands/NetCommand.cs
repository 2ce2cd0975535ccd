using System.CommandLine;
using Netdump.Kernel.Facts;

namespace Netdump.Client.Commands;

/// <summary><c>netdump net</c>: network devices and their addresses.</summary>
internal static class NetCommand
{
    private const string Examples = """
        netdump net vmcore
        netdump net vmcore --json | jq -r '.[] | select(.up and (.carrier | not)) | .name'
        netdump net vmcore --format crash
        """;

    public static Command Create()
    {
        var file = DumpArgument.Create("FILE");
        var (format, json) = (KernelArgument.Format(), KernelArgument.Json());
        var command = new CommandWithExamples("net", "Prints the network devices: up or down, carrier, addresses, transmit timeouts.", Examples) { file, format, json };
        command.SetAction(p =>
        {
            using var dump = DumpArgument.Open(p.GetRequiredValue(file));
            var kernel = KernelArgument.Open(dump, p.GetRequiredValue(file));
            var devices = kernel.Facts.NetDevices;
            if (devices.Count == 0)
                throw KernelArgument.Absent(kernel, "network devices");
            if (p.GetValue(json))
                WriteJson(devices);
            else if (p.GetValue(format) is not null)
                WriteAsCrash(devices, Console.Out);
            else
                Write(devices, Console.Out);
            KernelArgument.TellGaps(kernel);
            return 0;
        });
        return command;
    }

    private static void Write(IReadOnlyList<NetDevice> devices, TextWriter output)
    {
        output.WriteLine($"{"DEVICE",-16}  NAME             STATE  CARRIER    MTU  TIMEOUTS  {"HARDWARE",-17}  ADDRESSES");
        foreach (var device in devices)
            output.WriteLine(
                $"{device.Address:x16}  {device.Name,-15}  {(device.IsUp ? "up" : "down"),-5}  {(device.HasCarrier ? "yes" : "no"),-7}  {device.Mtu,5}  {device.TransmitTimeouts,8}  "
                + $"{device.Hardware ?? "-",-17}  {string.Join(", ", device.Addresses.Select(a => $"{a.Address}/{a.PrefixLength}"))}".TrimEnd());
    }

    private static void WriteAsCrash(IReadOnlyList<NetDevice> devices, TextWriter output)
    {
        output.WriteLine("   NET_DEVICE     NAME       IP ADDRESS(ES)");
        foreach (var device in devices)
            output.WriteLine($"{device.Address:x16}  {device.Name,-10} {string.Join(", ", device.Addresses.Select(a => a.Address))}");
    }

    private static void WriteJson(IReadOnlyList<NetDevice> devices) => KernelArgument.WriteJson(json =>
    {
        json.WriteStartArray();
        foreach (var device in devices)
        {
            json.WriteStartObject();
            json.WriteString("address", KernelArgument.Hex(device.Address));
            json.WriteString("name", device.Name);
            json.WriteNumber("index", device.Index);
            json.WriteBoolean("up", device.IsUp);
            json.WriteBoolean("carrier", device.HasCarrier);
            json.WriteNumber("mtu", device.Mtu);
            json.WriteNumber("transmit_timeouts", device.TransmitTimeouts);
            json.WriteString("hardware", device.Hardware);
            json.WriteStartArray("addresses");
            foreach (var address in device.Addresses)
                json.WriteStringValue($"{address.Address}/{address.PrefixLength}");
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });
}
