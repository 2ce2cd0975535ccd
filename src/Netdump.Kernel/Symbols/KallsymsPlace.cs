using Netdump.Vmcore;

namespace Netdump.Kernel.Symbols;

/// <summary>Where the tables of kallsyms lie (kernel/kallsyms.c).</summary>
/// <param name="Count">Address of kallsyms_num_syms: u32.</param>
/// <param name="Names">Address of kallsyms_names.</param>
/// <param name="TokenTable">Address of kallsyms_token_table.</param>
/// <param name="TokenIndex">Address of kallsyms_token_index: 256 u16.</param>
/// <param name="Offsets">Address of kallsyms_offsets: one s32 a symbol; 0 when the kernel has whole addresses.</param>
/// <param name="RelativeBase">Address of kallsyms_relative_base: u64; null since 7.0.</param>
/// <param name="Addresses">Address of kallsyms_addresses, one u64 a symbol, in kernels without CONFIG_KALLSYMS_BASE_RELATIVE; else 0.</param>
internal readonly record struct KallsymsPlace(
    ulong Count, ulong Names, ulong TokenTable, ulong TokenIndex, ulong Offsets, ulong? RelativeBase, ulong Addresses = 0)
{
    /// <summary>What VMCOREINFO says: kernels since 6.0 and those that took the change back.</summary>
    public static KallsymsPlace? From(VmcoreInfo info)
    {
        if (info.Symbol("kallsyms_num_syms") is not { } count || info.Symbol("kallsyms_names") is not { } names
            || info.Symbol("kallsyms_token_table") is not { } tokens || info.Symbol("kallsyms_token_index") is not { } index)
            return null;
        var offsets = info.Symbol("kallsyms_offsets");
        var addresses = info.Symbol("kallsyms_addresses");
        if (offsets is null && addresses is null)
            return null;
        return new(count, names, tokens, index, offsets ?? 0, info.Symbol("kallsyms_relative_base"), addresses ?? 0);
    }
}
