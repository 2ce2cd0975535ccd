using Netdump.Kernel.Types;

namespace Netdump.Kernel.Facts;

/// <summary>One BPF program that is loaded.</summary>
/// <param name="Id">Its number, as bpftool shows it.</param>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type by the kernel's name: <c>BPF_PROG_TYPE_KPROBE</c>.</param>
/// <param name="Address">Its machine code; 0 when it is interpreted.</param>
/// <param name="Length">Bytes of that code.</param>
public sealed record BpfProgram(int Id, string Name, string Type, ulong Address, uint Length)
{
    private const int MostPrograms = 1 << 16;

    internal static IReadOnlyList<BpfProgram> ReadAll(CrashedKernel kernel)
    {
        if (kernel.Types is not { } types || !kernel.TryFind("prog_idr", out var idr))
            return [];
        return [.. types.Idr(idr, MostPrograms).Select(entry => Read(types, types.At("bpf_prog", entry.Entry), (int)entry.Index))];
    }

    private static BpfProgram Read(KernelTypes types, KernelObject program, int id)
    {
        var type = program["type"];
        var isMachineCode = program["jited"].Unsigned == 1;
        return new BpfProgram(
            id, program["aux"]["name"].Text ?? "", type.Signed is { } value ? types.EnumName(type.TypeId, value) ?? "?" : "?",
            isMachineCode ? program["bpf_func"].Pointer ?? 0 : 0, isMachineCode ? (uint)(program["jited_len"].Unsigned ?? 0) : 0);
    }
}
