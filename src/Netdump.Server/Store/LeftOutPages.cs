using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Netdump.Vmcore;
using Netdump.Vmcore.Codecs;
using Netdump.Vmcore.Filter;
using Netdump.Vmcore.Kdump;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Output;

namespace Netdump.Server.Store;

/// <summary>
/// The map of the pages that a client left out of its dump: the file <c>.left-out</c> beside vmcore-incomplete, one bit a page, holes where
/// nothing is left out. An ELF core shows what it lacks as zeros, so such a dump is completed as a kdump-compressed one, which says of each page
/// whether it is in it.
/// </summary>
internal sealed class LeftOutPages : IDisposable
{
    /// <summary>Name of the file in the crash directory.</summary>
    public const string FileName = ".left-out";

    private const string FreshName = ".vmcore.kdump";
    private const int BlockPages = 32 << 10;
    private const int LevelOfAll = 31; // the client does not tell its level: any of them may be

    private readonly FileStream _file;

    private LeftOutPages(FileStream file) => _file = file;

    /// <summary>Makes the file. One of an earlier process is emptied: its client tells the whole map again.</summary>
    /// <exception cref="IOException">The disk refuses.</exception>
    public static LeftOutPages Create(CrashDirectory directory)
    {
        directory.Delete(FileName);
        return new LeftOutPages(directory.CreateFile(FileName));
    }

    /// <summary>Whether a crash has such a file.</summary>
    public static bool Exists(CrashDirectory directory) => File.Exists(directory.File(FileName));

    /// <summary>Writes a part of the map.</summary>
    /// <param name="first">Page of the first bit, a multiple of 8.</param>
    /// <param name="map">The bits.</param>
    /// <exception cref="IOException">The disk refuses.</exception>
    public void Write(ulong first, ReadOnlySpan<byte> map) => RandomAccess.Write(_file.SafeFileHandle, map, (long)(first / 8));

    /// <summary>Makes <c>vmcore</c> of a whole vmcore-incomplete, and then removes that and the map. Blocks on the disk and the processor.</summary>
    /// <exception cref="IOException">The disk refuses, or vmcore exists; vmcore-incomplete stays.</exception>
    /// <exception cref="VmcoreFormatException">The client's headers do not make a dump; vmcore-incomplete stays.</exception>
    public static void Convert(CrashDirectory directory)
    {
        try
        {
            using (SafeFileHandle map = File.OpenHandle(directory.File(FileName)))
            using (VmcoreFile source = VmcoreFile.Open(directory.File(VmcoreWriter.IncompleteName)))
            using (FileOutput output = FileOutput.Create(directory.File(FreshName), overwrite: true))
                KdumpWriter.Write(source, block => Select(source.Physical, map, block), output, new WriteOptions
                {
                    Codec = PageCodec.Zstd,
                    DumpLevel = LevelOfAll,
                    Threads = Math.Max(1, Environment.ProcessorCount / 2), // other dumps are being received
                });
            directory.Complete(FreshName, VmcoreWriter.CompleteName);
        }
        catch
        {
            directory.Delete(FreshName);
            throw;
        }

        Clean(directory);
    }

    /// <summary>Removes what a complete dump needs no more.</summary>
    public static void Clean(CrashDirectory directory)
    {
        directory.Delete(VmcoreWriter.IncompleteName);
        directory.Delete(FileName);
        directory.Sync();
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static void Select(PhysicalMemory memory, SafeFileHandle map, PageBlock block)
    {
        ulong[] keep = new ulong[BlockPages / 64], leftOut = new ulong[BlockPages / 64];
        ulong next = 0;
        foreach (PageRange range in memory.Ranges)
        {
            for (ulong at = Math.Max(next, range.First / BlockPages); at * BlockPages < range.End; at++)
            {
                memory.CopyMemoryBits(at * BlockPages, keep);
                Span<byte> bytes = MemoryMarshal.AsBytes(leftOut.AsSpan());
                int read = 0;
                for (int count; read < bytes.Length && (count = RandomAccess.Read(map, bytes[read..], (long)(at * BlockPages / 8) + read)) > 0;)
                    read += count;
                bytes[read..].Clear();
                for (int i = 0; i < keep.Length; i++)
                    keep[i] &= ~leftOut[i];
                block(at * BlockPages, keep);
                next = at + 1;
            }
        }
    }
}
