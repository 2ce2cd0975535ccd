using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Netdump.Client.Linux;

/// <summary>Loading kernel modules: finit_module(2).</summary>
public static class KernelModules
{
    /// <summary>Loads a module that is not compressed.</summary>
    /// <param name="path">The .ko file.</param>
    /// <param name="options">Parameters as on modprobe's command line, for example <c>debug=1 name=x</c>; may be empty.</param>
    /// <exception cref="LinuxException">The kernel refused: EEXIST loaded already, ENOEXEC of another kernel, ENOENT a symbol is missing, EKEYREJECTED.</exception>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    public static unsafe void Load(string path, string options = "")
    {
        using SafeFileHandle file = Descriptors.Open(path, OpenFlags.ReadOnly);
        fixed (byte* text = CString(options))
        {
            if (SystemCall.Invoke(SystemCall.LoadModule, file.DangerousGetHandle(), (nint)text, 0, 0, 0) != 0)
                throw LinuxException.Last($"load module {Path.GetFileName(path)}");
        }
    }

    private static byte[] CString(string text)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(text) + 1];
        Encoding.UTF8.GetBytes(text, bytes);
        return bytes;
    }
}
