using Netdump.Kernel.Tasks;
using Netdump.Vmcore;

namespace Netdump.Kernel.Report;

/// <summary>The system call a task was in, out of the registers of its user mode at the top of its stack.</summary>
internal static class Syscalls
{
    private const ulong Highest = 1024;

    // System calls whose first argument is a file descriptor: those that carry a file's name to the reader.
    private static readonly HashSet<string> OnFile = new(
        ["read", "write", "pread64", "pwrite64", "readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2", "ioctl", "fsync", "fdatasync", "ftruncate",
         "fallocate", "getdents64", "lseek", "fstat", "newfstat", "sendfile64", "splice", "sync_file_range", "fadvise64", "flock", "fcntl", "close"],
        StringComparer.Ordinal);

    private static readonly string[] X64Arguments = ["rdi", "rsi", "rdx", "r10", "r8", "r9"];
    private static readonly string[] Arm64Arguments = ["x0", "x1", "x2", "x3", "x4", "x5"];

    public static ReportSyscall? Of(CrashedKernel kernel, KernelTask task)
    {
        if (task.IsKernelThread || kernel.Unwinder?.UserRegistersOf(task.Address) is not { } registers)
            return null;
        var isX64 = kernel.Machine == Machines.X64;
        // orig_rax is the call's number, -1 or an error code when an interrupt or a fault came instead; arm64 has it in x8.
        var number = registers[isX64 ? "orig_rax" : "x8"];
        if (number is not < Highest || NameOf(kernel, number.Value) is not { } name)
            return null;
        ulong[] arguments = [.. (isX64 ? X64Arguments : Arm64Arguments).Select(r => registers[r] ?? 0)];
        return new ReportSyscall((int)number.Value, name, [.. arguments.Select(a => $"0x{a:x}")], OnFile.Contains(name) ? OpenFile.Of(kernel, task).FirstOrDefault(f => (ulong)f.Descriptor == arguments[0])?.Path : null);
    }

    private static string? NameOf(CrashedKernel kernel, ulong number)
    {
        if (kernel.Symbols is not { } symbols || !symbols.TryFind("sys_call_table", out var table)
            || !kernel.Memory.TryReadUInt64(table + number * 8, out var entry) || !symbols.TryResolve(entry, out var match) || match.Start != entry)
            return null;
        foreach (var prefix in new[] { "__x64_sys_", "__arm64_sys_", "__se_sys_", "sys_" })
            if (match.Name.StartsWith(prefix, StringComparison.Ordinal) && match.Name != "__x64_sys_ni_syscall")
                return match.Name[prefix.Length..];
        return null;
    }
}
