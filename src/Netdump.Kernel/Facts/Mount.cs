using Netdump.Kernel.Types;

namespace Netdump.Kernel.Facts;

/// <summary>One mounted filesystem.</summary>
/// <param name="Address">Its struct mount.</param>
/// <param name="SuperBlock">Its struct super_block.</param>
/// <param name="Type">The filesystem's type.</param>
/// <param name="Device">What is mounted.</param>
/// <param name="Path">Where; null when a part of the path is not in the dump.</param>
/// <param name="IsReadOnly">Whether it is mounted read-only.</param>
/// <param name="Frozen">How far it is frozen (s_writers.frozen): 0 is not at all, 4 is wholly.</param>
public sealed record Mount(ulong Address, ulong SuperBlock, string Type, string Device, string? Path, bool IsReadOnly, int Frozen)
{
    private const int MostMounts = 1 << 16;
    private const ulong MountReadOnly = 0x40; // MNT_READONLY
    private const ulong SuperReadOnly = 1; // SB_RDONLY

    internal static IReadOnlyList<Mount> ReadAll(CrashedKernel kernel)
    {
        var space = kernel.Variable("init_task", "task_struct")["nsproxy"]["mnt_ns"].Target;
        if (kernel.Types is not { } types || !space.Exists)
            return [];
        // A tree since 6.8; before that mounts is a number.
        var mounts = space["mounts"] is { Exists: true, Kind: TypeKind.Struct } tree
            ? types.RbEntries(tree.Address, "mount", types.FindMember(types.Find("mount"), "mnt_node") is null ? "mnt_list" : "mnt_node", MostMounts)
            : space["list"] is { Exists: true } list ? types.ListEntries(list.Address, "mount", "mnt_list", MostMounts) : [];
        return [.. mounts.Select(Read).OfType<Mount>()];
    }

    // A mount without superblock is the cursor of someone who reads the list.
    private static Mount? Read(KernelObject mount)
    {
        var super = mount["mnt"]["mnt_sb"].Target;
        if (!super.Exists)
            return null;
        var isReadOnly = (mount["mnt"]["mnt_flags"].Unsigned & MountReadOnly) is > 0 || (super["s_flags"].Unsigned & SuperReadOnly) is > 0;
        return new Mount(
            mount.Address, super.Address, super["s_type"]["name"].Text ?? "?", mount["mnt_devname"].Text ?? "none", FilePath.OfMount(mount), isReadOnly,
            (int)(super["s_writers"]["frozen"].Signed ?? 0));
    }
}
