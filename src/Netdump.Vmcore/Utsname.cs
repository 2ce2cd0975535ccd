using System.Text;
using Netdump.Vmcore.Kdump;

namespace Netdump.Vmcore;

/// <summary>What the dead kernel called itself and its host: struct new_utsname, six texts of 65 bytes.</summary>
/// <param name="System">sysname: Linux.</param>
/// <param name="Node">nodename: the host's name.</param>
/// <param name="Release">release, as uname -r prints it.</param>
/// <param name="Version">version: build number and time.</param>
/// <param name="Machine">machine, as uname -m prints it.</param>
/// <param name="Domain">domainname, mostly "(none)".</param>
public sealed record Utsname(string System, string Node, string Release, string Version, string Machine, string Domain)
{
    /// <summary>Bytes of the structure.</summary>
    public const int Length = 6 * KdumpHeader.UtsnameLength;

    /// <summary>Finds it: in the dead kernel's memory (init_uts_ns), else in a kdump file's header, else what VMCOREINFO and ELF header tell of it.</summary>
    /// <exception cref="IOException">The disk failed.</exception>
    public static Utsname Find(VmcoreFile file)
    {
        var bytes = new byte[Length];
        if (TryReadKernel(file, bytes))
            return Parse(bytes);
        if (file.Kdump is { } kdump && kdump.Utsname[2].Length > 0)
            return new Utsname(kdump.Utsname[0], kdump.Utsname[1], kdump.Utsname[2], kdump.Utsname[3], kdump.Utsname[4], kdump.Utsname[5]);
        return new Utsname("Linux", "", file.Info?.Release ?? "", "", file.Machine == Machines.Unknown ? "" : Machines.NameOf(file.Machine), "");
    }

    /// <summary>Writes the structure; texts that are too long are cut.</summary>
    internal byte[] ToBytes()
    {
        var bytes = new byte[Length];
        var at = 0;
        foreach (var text in (string[])[System, Node, Release, Version, Machine, Domain])
        {
            var encoded = Encoding.UTF8.GetBytes(text);
            encoded.AsSpan(0, Math.Min(encoded.Length, KdumpHeader.UtsnameLength - 1)).CopyTo(bytes.AsSpan(at));
            at += KdumpHeader.UtsnameLength;
        }
        return bytes;
    }

    private static Utsname Parse(byte[] bytes)
    {
        return new Utsname(Field(0), Field(1), Field(2), Field(3), Field(4), Field(5));

        string Field(int index)
        {
            var field = bytes.AsSpan(index * KdumpHeader.UtsnameLength, KdumpHeader.UtsnameLength);
            var end = field.IndexOf((byte)0);
            return Encoding.UTF8.GetString(end < 0 ? field : field[..end]);
        }
    }

    private static bool TryReadKernel(VmcoreFile file, byte[] bytes)
    {
        try
        {
            return file.Info?.Symbol("init_uts_ns") is { } address && file.Info.Offset("uts_namespace.name") is { } offset
                && file.OpenKernelMemory().Read(address + (ulong)offset, bytes) == bytes.Length
                && Parse(bytes) is var name && name.System == "Linux" && name.Release.Length > 0;
        }
        catch (VmcoreFormatException)
        {
            return false; // memory that cannot be translated: the other sources serve
        }
    }
}
