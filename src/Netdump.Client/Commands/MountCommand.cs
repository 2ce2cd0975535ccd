using System.CommandLine;
using Netdump.Kernel.Facts;

namespace Netdump.Client.Commands;

/// <summary><c>netdump mount</c>: what was mounted where.</summary>
internal static class MountCommand
{
    // How far a superblock is frozen (include/linux/fs.h, SB_FREEZE_*).
    private static readonly string[] FreezeLevels = ["no", "writes", "faults", "filesystem", "yes"];

    private const string Examples = """
        netdump mount vmcore
        netdump mount vmcore --json | jq -r '.[] | select(.frozen != "no") | .path'
        netdump mount vmcore --format crash
        """;

    public static Command Create()
    {
        var file = DumpArgument.Create("FILE");
        var (format, json) = (KernelArgument.Format(), KernelArgument.Json());
        var command = new CommandWithExamples(
            "mount", "Prints what was mounted where, in the first process's namespace, and whether it was frozen.", Examples) { file, format, json };
        command.SetAction(p =>
        {
            using var dump = DumpArgument.Open(p.GetRequiredValue(file));
            var kernel = KernelArgument.Open(dump, p.GetRequiredValue(file));
            var mounts = kernel.Facts.Mounts;
            if (mounts.Count == 0)
                throw KernelArgument.Absent(kernel, "mounts");
            if (p.GetValue(json))
                WriteJson(mounts);
            else if (p.GetValue(format) is not null)
                WriteAsCrash(mounts, Console.Out);
            else
                Write(mounts, Console.Out);
            KernelArgument.TellGaps(kernel);
            return 0;
        });
        return command;
    }

    private static string Frozen(Mount mount) => (uint)mount.Frozen < FreezeLevels.Length ? FreezeLevels[mount.Frozen] : $"{mount.Frozen}";

    private static void Write(IReadOnlyList<Mount> mounts, TextWriter output)
    {
        var (types, devices) = (Width(mounts.Select(m => m.Type), 4), Width(mounts.Select(m => m.Device), 6));
        output.WriteLine($"{"SUPERBLOCK",-16}  {"TYPE".PadRight(types)}  {"DEVICE".PadRight(devices)}  RO  {"FROZEN",-10}  PATH");
        foreach (var mount in mounts)
            output.WriteLine(
                $"{mount.SuperBlock:x16}  {mount.Type.PadRight(types)}  {mount.Device.PadRight(devices)}  {(mount.IsReadOnly ? "ro" : "rw")}  {Frozen(mount),-10}  {mount.Path ?? "?"}");
    }

    private static void WriteAsCrash(IReadOnlyList<Mount> mounts, TextWriter output)
    {
        output.WriteLine("     MOUNT           SUPERBLK     TYPE   DEVNAME   DIRNAME");
        foreach (var mount in mounts)
            output.WriteLine($"{mount.Address:x16} {mount.SuperBlock:x16} {$"{mount.Type,-6} {mount.Device}",-16} {mount.Path ?? "",-10}");
    }

    private static void WriteJson(IReadOnlyList<Mount> mounts) => KernelArgument.WriteJson(json =>
    {
        json.WriteStartArray();
        foreach (var mount in mounts)
        {
            json.WriteStartObject();
            json.WriteString("address", KernelArgument.Hex(mount.Address));
            json.WriteString("super_block", KernelArgument.Hex(mount.SuperBlock));
            json.WriteString("type", mount.Type);
            json.WriteString("device", mount.Device);
            json.WriteString("path", mount.Path);
            json.WriteBoolean("read_only", mount.IsReadOnly);
            json.WriteString("frozen", Frozen(mount));
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });

    private static int Width(IEnumerable<string> texts, int least) => Math.Min(40, Math.Max(least, texts.Max(t => t.Length)));
}
