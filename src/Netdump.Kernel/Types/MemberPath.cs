using System.Text;

namespace Netdump.Kernel.Types;

/// <summary>The path to a member: names with dots between them, array elements in brackets.</summary>
internal static class MemberPath
{
    private const int LongestPath = 1024;

    /// <summary>Follows a path within one structure.</summary>
    /// <returns>Null when a member is absent, an element is outside its array, a pointer lies on the way, or the path is no path.</returns>
    public static Member? Resolve(KernelTypes types, int typeId, ReadOnlySpan<char> path)
    {
        if (path.IsEmpty || path.Length > LongestPath)
            return null;
        var here = new Member(0, 0, typeId, types.SizeOf(typeId) ?? 0);
        while (!path.IsEmpty)
        {
            if (!TrySplit(path, out var name, out var indexes, out path) || here.BitSize != 0)
                return null;
            if (!name.IsEmpty)
            {
                if (Direct(types, here.TypeId, name) is not { } next)
                    return null;
                here = next with { BitOffset = here.BitOffset + next.BitOffset };
            }
            while (!indexes.IsEmpty)
            {
                if (!TryIndex(ref indexes, out var index) || Element(types, here, index) is not { } element)
                    return null;
                here = element;
            }
        }
        return here;
    }

    /// <summary>Splits a path at its first dot: a name with the indexes behind it, and the rest.</summary>
    public static bool TrySplit(ReadOnlySpan<char> path, out ReadOnlySpan<char> name, out ReadOnlySpan<char> indexes, out ReadOnlySpan<char> rest)
    {
        var dot = path.IndexOf('.');
        var first = dot < 0 ? path : path[..dot];
        rest = dot < 0 ? default : path[(dot + 1)..];
        var bracket = first.IndexOf('[');
        name = bracket < 0 ? first : first[..bracket];
        indexes = bracket < 0 ? default : first[bracket..];
        return !first.IsEmpty && (dot < 0 || !rest.IsEmpty);
    }

    /// <summary>Takes the first of the indexes.</summary>
    public static bool TryIndex(ref ReadOnlySpan<char> indexes, out int index)
    {
        index = 0;
        var end = indexes.IndexOf(']');
        if (end < 2 || indexes[0] != '[' || !int.TryParse(indexes[1..end], System.Globalization.NumberStyles.None, null, out index))
            return false;
        indexes = indexes[(end + 1)..];
        return true;
    }

    /// <summary>A direct member.</summary>
    public static Member? Direct(KernelTypes types, int typeId, ReadOnlySpan<char> name)
    {
        Span<byte> bytes = stackalloc byte[BtfTable.LongestName];
        return Encoding.UTF8.TryGetBytes(name, bytes, out var length) ? types.FindDirect(typeId, bytes[..length]) : null;
    }

    private static Member? Element(KernelTypes types, Member array, int index)
    {
        var type = types.Type(types.Resolve(array.TypeId));
        if (type.Kind != TypeKind.Array || (type.Length != 0 && (uint)index >= type.Length) || types.SizeOf(type.Target) is not { } size)
            return null;
        return new Member(array.BitOffset + (ulong)index * (ulong)size * 8, 0, type.Target, size);
    }
}
