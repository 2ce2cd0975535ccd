using System.Text;
using Netdump.Vmcore;

namespace Netdump.Kernel.Facts;

/// <summary>Names of a kernel (struct new_utsname); empty where they are not known.</summary>
/// <param name="System">The system: <c>Linux</c>.</param>
/// <param name="Host">The host's name.</param>
/// <param name="Release">The kernel's release.</param>
/// <param name="Version">The kernel's build.</param>
/// <param name="Machine">The machine.</param>
/// <param name="Domain">The NIS domain.</param>
public sealed record UtsNames(string System, string Host, string Release, string Version, string Machine, string Domain)
{
    private const int FieldLength = 65; // __NEW_UTS_LEN + 1

    internal static UtsNames Read(CrashedKernel kernel)
    {
        var names = new string[6];
        var offset = kernel.Info.Offset("uts_namespace.name") ?? kernel.Types?.OffsetOf("uts_namespace", "name") ?? 0;
        var known = kernel.TryFind("init_uts_ns", out var at);
        for (var i = 0; i < names.Length; i++)
            names[i] = known && kernel.Memory.TryReadText(at + (ulong)offset + (ulong)(i * FieldLength), FieldLength, out var text)
                ? Encoding.UTF8.GetString(text)
                : "";
        if (names[2].Length == 0)
            names[2] = kernel.Info.Release ?? "";
        if (names[4].Length == 0)
            names[4] = Machines.NameOf(kernel.Machine);
        return new UtsNames(names[0], names[1], names[2], names[3], names[4], names[5]);
    }
}
