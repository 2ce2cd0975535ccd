using System.IO.Hashing;

namespace Netdump.Fuzz.Tests.Engine;

/// <summary>The inputs kept in the repository: one folder for each target, one small file for each input, named by its content.</summary>
internal static class Corpus
{
    /// <summary>Bytes of the longest input that is stored by itself; one that broke a parser may be longer.</summary>
    public const int LongestFile = 4096 + 512;

    /// <summary>The files of a target as the build copied them.</summary>
    public static IReadOnlyList<(string File, byte[] Bytes)> Of(string target)
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "Corpus", target);
        return Directory.Exists(folder)
            ? [.. Directory.GetFiles(folder).Order(StringComparer.Ordinal).Select(file => (Path.GetFileName(file), File.ReadAllBytes(file)))]
            : [];
    }

    /// <summary>Names of the folders there are.</summary>
    public static IReadOnlyList<string> Targets => [.. Directory.GetDirectories(Path.Combine(AppContext.BaseDirectory, "Corpus")).Select(folder => Path.GetFileName(folder))];

    /// <summary>Replaces the files of a target in the source tree.</summary>
    public static void Write(string target, IEnumerable<byte[]> inputs)
    {
        string folder = Path.Combine(Source(), target);
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.GetFiles(folder)) File.Delete(file);
        foreach (byte[] input in inputs) File.WriteAllBytes(Path.Combine(folder, NameOf(input)), input);
    }

    /// <summary>File name of an input.</summary>
    public static string NameOf(byte[] input) => $"{XxHash64.HashToUInt64(input):x16}";

    private static string Source()
    {
        for (DirectoryInfo? d = new(AppContext.BaseDirectory); d is not null; d = d.Parent)
            if (File.Exists(Path.Combine(d.FullName, "netdump.slnx"))) return Path.Combine(d.FullName, "tests", "Netdump.Fuzz.Tests", "Corpus");
        throw new InvalidOperationException("netdump.slnx not found above " + AppContext.BaseDirectory);
    }
}
