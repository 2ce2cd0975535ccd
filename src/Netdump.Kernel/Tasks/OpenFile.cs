using Netdump.Kernel.Facts;
using Netdump.Kernel.Types;

namespace Netdump.Kernel.Tasks;

/// <summary>A file that a process has open.</summary>
/// <param name="Descriptor">Its number.</param>
/// <param name="Address">Address of the struct file.</param>
/// <param name="Kind">What it is, in crash's letters: REG, DIR, CHR, BLK, FIFO, SOCK, LNK; ? when that cannot be read.</param>
/// <param name="Path">Its full path; a pipe's or socket's kind and inode number.</param>
public sealed record OpenFile(int Descriptor, ulong Address, string Kind, string Path)
{
    private const int MostDescriptors = 1 << 16;

    /// <summary>The program that a process executes.</summary>
    /// <returns>Null for kernel threads, or when it is not in the dump.</returns>
    public static string? ProgramOf(CrashedKernel kernel, KernelTask task) =>
        task.Mm is { } mm && kernel.Types is { } types && types.At("mm_struct", mm)["exe_file"].Target is { Exists: true } file ? FilePath.Of(file["f_path"]) : null;

    /// <summary>The files a process has open, by descriptor.</summary>
    public static IReadOnlyList<OpenFile> Of(CrashedKernel kernel, KernelTask task)
    {
        if (task.Files is not { } files || kernel.Types is not { } types || types.At("files_struct", files)["fdt"].Target is not { Exists: true } table
            || table["max_fds"].Unsigned is not { } count || table["fd"].Pointer is not { } pointers)
            return [];
        List<OpenFile> open = [];
        if (count > MostDescriptors)
            kernel.Gaps.Add($"open files of PID {task.Pid}", $"its table has {count} places: only the first {MostDescriptors} are looked at");
        for (var descriptor = 0; descriptor < (int)Math.Min(count, MostDescriptors); descriptor++)
        {
            if (!kernel.Memory.TryReadUInt64(pointers + (ulong)descriptor * 8, out var address))
            {
                kernel.Gaps.Add($"open files of PID {task.Pid}", $"their table at 0x{pointers:x} is not in the dump from descriptor {descriptor} on");
                break;
            }
            if (address == 0)
                continue;
            KernelObject file = types.At("file", address);
            KernelObject inode = file["f_inode"].Target;
            var kind = inode["i_mode"].Unsigned is { } mode ? KindOf(mode) : "?";
            open.Add(new OpenFile(
                descriptor, address, kind,
                kind switch { "FIFO" or "SOCK" => null, _ => FilePath.Of(file["f_path"]) } ?? Nameless(kind, inode["i_ino"].Unsigned)));
        }
        return open;
    }

    private static string Nameless(string kind, ulong? number) =>
        $"{kind switch { "FIFO" => "pipe", "SOCK" => "socket", _ => "file" }}:[{(number is { } n ? $"{n}" : "?")}]";

    // S_IFMT of linux/stat.h.
    private static string KindOf(ulong mode) => (mode & 0xf000) switch
    {
        0x8000 => "REG",
        0x4000 => "DIR",
        0x2000 => "CHR",
        0x6000 => "BLK",
        0x1000 => "FIFO",
        0xc000 => "SOCK",
        0xa000 => "LNK",
        _ => "?",
    };
}
