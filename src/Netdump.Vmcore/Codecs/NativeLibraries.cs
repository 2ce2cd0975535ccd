using System.Runtime.InteropServices;

namespace Netdump.Vmcore.Codecs;

/// <summary>Which native codecs this process has. The published client has them linked in; elsewhere the system's shared libraries serve.</summary>
internal static unsafe partial class NativeLibraries
{
    static NativeLibraries()
    {
        // Debian's run-time packages have no libzstd.so, only the name with the version of the interface. Linked in, this is never asked.
        NativeLibrary.SetDllImportResolver(typeof(NativeLibraries).Assembly, static (name, assembly, path) =>
        {
            var file = name switch { Libzstd.Name => "libzstd.so.1", Libdeflate.Name => "libdeflate.so.0", _ => null };
            return file is not null && NativeLibrary.TryLoad(file, assembly, path, out var handle) ? handle : 0;
        });
        HasLibzstd = Answers(static () => Libzstd.Version() >= 10400);
        HasLibdeflate = Answers(static () =>
        {
            var probe = Libdeflate.CreateDecompressor();
            Libdeflate.FreeDecompressor(probe);
            return probe is not null;
        });
    }

    public static bool HasLibzstd { get; }

    public static bool HasLibdeflate { get; }

    private static bool Answers(Func<bool> probe)
    {
        try
        {
            return probe();
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    }
}

/// <summary>libzstd's simple interface with contexts (zstd.h). Sizes above <see cref="IsError"/> are errors.</summary>
internal static unsafe partial class Libzstd
{
    public const string Name = "libzstd";

    [LibraryImport(Name, EntryPoint = "ZSTD_versionNumber")]
    public static partial uint Version();

    [LibraryImport(Name, EntryPoint = "ZSTD_createCCtx")]
    public static partial void* CreateCompressor();

    [LibraryImport(Name, EntryPoint = "ZSTD_freeCCtx")]
    public static partial nuint FreeCompressor(void* context);

    [LibraryImport(Name, EntryPoint = "ZSTD_compressCCtx")]
    public static partial nuint Compress(void* context, byte* output, nuint capacity, byte* input, nuint length, int level);

    [LibraryImport(Name, EntryPoint = "ZSTD_createDCtx")]
    public static partial void* CreateDecompressor();

    [LibraryImport(Name, EntryPoint = "ZSTD_freeDCtx")]
    public static partial nuint FreeDecompressor(void* context);

    [LibraryImport(Name, EntryPoint = "ZSTD_decompressDCtx")]
    public static partial nuint Decompress(void* context, byte* output, nuint capacity, byte* input, nuint length);

    /// <summary>ZSTD_isError: error codes are the highest values of size_t.</summary>
    public static bool IsError(nuint size) => size > unchecked((nuint)(-120));
}

/// <summary>libdeflate (libdeflate.h). A result of 0 bytes from compression means that the output was too small.</summary>
internal static unsafe partial class Libdeflate
{
    public const string Name = "libdeflate";

    [LibraryImport(Name, EntryPoint = "libdeflate_alloc_compressor")]
    public static partial void* CreateCompressor(int level);

    [LibraryImport(Name, EntryPoint = "libdeflate_free_compressor")]
    public static partial void FreeCompressor(void* compressor);

    [LibraryImport(Name, EntryPoint = "libdeflate_zlib_compress")]
    public static partial nuint CompressZlib(void* compressor, byte* input, nuint length, byte* output, nuint capacity);

    [LibraryImport(Name, EntryPoint = "libdeflate_alloc_decompressor")]
    public static partial void* CreateDecompressor();

    [LibraryImport(Name, EntryPoint = "libdeflate_free_decompressor")]
    public static partial void FreeDecompressor(void* decompressor);

    [LibraryImport(Name, EntryPoint = "libdeflate_zlib_decompress_ex")]
    public static partial int DecompressZlib(
        void* decompressor, byte* input, nuint length, byte* output, nuint capacity, out nuint consumed, out nuint produced);
}
