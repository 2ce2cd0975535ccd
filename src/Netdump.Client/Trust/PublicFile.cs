using System.Text;
using Microsoft.Win32.SafeHandles;
using Netdump.Client.Linux;

namespace Netdump.Client.Trust;

/// <summary>Small files that everybody may read, written in one step and through to the disk: whoever reads sees the old or the new one.</summary>
internal static class PublicFile
{
    /// <summary>Writes a file, 0644.</summary>
    /// <exception cref="IOException">The kernel refused; also <see cref="UnauthorizedAccessException"/>.</exception>
    public static void Write(string path, string text)
    {
        string next = path + ".new";
        using (var file = new FileStream(next, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
        }))
        {
            file.Write(Encoding.UTF8.GetBytes(text));
            file.Flush(flushToDisk: true);
        }
        Replace(next, path);
    }

    /// <summary>Gives a file its final name, and makes that last.</summary>
    internal static void Replace(string from, string to)
    {
        File.Move(from, to, overwrite: true);
        using SafeFileHandle directory = Descriptors.Open(Path.GetDirectoryName(to)!, OpenFlags.ReadOnly);
        Descriptors.Sync(directory);
    }
}
