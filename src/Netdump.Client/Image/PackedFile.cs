using System.IO.Compression;
using SharpCompress.Compressors.Xz;
using ZstdSharp;

namespace Netdump.Client.Image;

/// <summary>Reads files that distributions compress (<c>.xz</c>, <c>.zst</c>, <c>.gz</c>): kernel modules and firmware.</summary>
public static class PackedFile
{
    /// <summary>Endings that mean compression, besides none.</summary>
    public static IReadOnlyList<string> Endings { get; } = ["", ".xz", ".zst", ".gz"];

    /// <summary>No module or firmware is near this; a damaged file must not fill the memory.</summary>
    private const int Limit = 64 << 20;

    /// <summary>The path without its compression ending.</summary>
    public static string PlainName(string path) => Path.GetExtension(path) is ".xz" or ".zst" or ".gz" ? Path.ChangeExtension(path, null) : path;

    /// <summary>All plain bytes of a file.</summary>
    /// <exception cref="ClientException">The file is damaged or too large.</exception>
    public static byte[] Read(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            if (PlainName(path) == path)
            {
                if (file.Length > Limit) throw new InvalidDataException("too large");
                byte[] bytes = new byte[file.Length];
                file.ReadExactly(bytes);
                return bytes;
            }
            using Stream plain = Path.GetExtension(path) switch
            {
                ".xz" => new XZStream(file),
                ".zst" => new DecompressionStream(file),
                _ => new GZipStream(file, CompressionMode.Decompress),
            };
            return ReadAll(plain);
        }
        catch (Exception e) when (e is not (UnauthorizedAccessException or FileNotFoundException))
        {
            throw new ClientException($"cannot read {path}: {e.Message}", "reinstall the package it belongs to", e);
        }
    }

    private static byte[] ReadAll(Stream plain)
    {
        using var all = new MemoryStream();
        byte[] buffer = new byte[1 << 16];
        for (int n; (n = plain.Read(buffer, 0, buffer.Length)) > 0;)
        {
            if (all.Length + n > Limit) throw new InvalidDataException("too large");
            all.Write(buffer, 0, n);
        }
        return all.ToArray();
    }
}
