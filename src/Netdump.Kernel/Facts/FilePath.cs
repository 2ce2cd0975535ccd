using System.Text;
using Netdump.Kernel.Types;

namespace Netdump.Kernel.Facts;

/// <summary>Full paths, out of the chain of directory entries and mounts above a place.</summary>
public static class FilePath
{
    private const int MostSteps = 512;
    private const int LongestPath = 4096;

    /// <summary>The path of a struct path: an open file's, a mount's.</summary>
    /// <returns>Null when a link of the chain is not in the dump.</returns>
    public static string? Of(KernelObject path) => path["mnt"].Target is { Exists: true } mounted && Container(mounted) is { Exists: true } mount
        ? Of(path["dentry"].Target, mount)
        : null;

    /// <summary>The path where a mount is mounted.</summary>
    /// <param name="mount">A struct mount.</param>
    public static string? OfMount(KernelObject mount)
    {
        var parent = mount["mnt_parent"].Target;
        return !parent.Exists ? null : parent.Address == mount.Address ? "/" : Of(mount["mnt_mountpoint"].Target, parent);
    }

    // Up to the root of the mount, then on from the place it is mounted on, to the mount that is its own parent.
    private static string? Of(KernelObject entry, KernelObject mount)
    {
        var names = new List<string>();
        var length = 0;
        for (var step = 0; step < MostSteps && length <= LongestPath; step++)
        {
            if (!entry.Exists || mount["mnt"]["mnt_root"].Pointer is not { } root)
                return null;
            if (entry.Address == root)
            {
                var parent = mount["mnt_parent"].Target;
                if (parent.Exists && parent.Address == mount.Address)
                    return Join(names);
                (entry, mount) = (mount["mnt_mountpoint"].Target, parent);
                continue;
            }
            var above = entry["d_parent"].Target;
            if (!above.Exists)
                return null;
            if (above.Address == entry.Address)
                return Join(names); // a root that is no mount's: of a pipe, a socket, or after a lazy unmount
            var name = entry.First("d_name.name", "__d_name.name").Text;
            if (name is null)
                return null;
            names.Add(name);
            length += name.Length + 1;
            entry = above;
        }
        return null;
    }

    private static string Join(List<string> names)
    {
        var path = new StringBuilder();
        for (var i = names.Count - 1; i >= 0; i--)
            path.Append('/').Append(names[i]);
        return path.Length == 0 ? "/" : path.ToString();
    }

    // A struct vfsmount is the inner part of a struct mount.
    private static KernelObject Container(KernelObject mounted) =>
        mounted.Types?.OffsetOf("mount", "mnt") is { } offset ? mounted.Types.At("mount", mounted.Address - (ulong)offset) : default;
}
