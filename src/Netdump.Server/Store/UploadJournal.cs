using System.Buffers.Binary;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Netdump.Vmcore.Flattened;

namespace Netdump.Server.Store;

/// <summary>
/// The file <c>.upload</c>: how much of a vmcore's upload is on the disk. Records of 128 bytes, little endian, appended and synced after the data
/// they speak of: the last whole one counts, and what a power cut or a full disk left torn behind it is cut off.
/// </summary>
/// <remarks>
/// A record: signature (8 bytes), its number from 0 (u32), 1 when it stands for one block with a digest (u8), three zeros, the decoder's state
/// (56 bytes), the block's SHA-256 (32 bytes), 8 zeros, and the first 16 bytes of SHA-256 over all of that.
/// </remarks>
internal sealed class UploadJournal : IDisposable
{
    /// <summary>Name of the file in the crash directory.</summary>
    public const string FileName = ".upload";

    /// <summary>Bytes of a record.</summary>
    public const int RecordLength = 128;

    private const int StateAt = 16;
    private const int DigestAt = StateAt + FlattenedDecoder.StateLength;
    private const int CheckAt = RecordLength - 16;

    private readonly SafeFileHandle _file;
    private readonly byte[] _record = new byte[RecordLength];

    private UploadJournal(SafeFileHandle file) => _file = file;

    private static ReadOnlySpan<byte> Signature => "NDUPLD1\n"u8;

    /// <summary>Records.</summary>
    public int Count { get; private set; }

    /// <summary>Opens the journal of a crash, made if missing; reads it and cuts off what is torn. Throws <see cref="IOException"/>.</summary>
    /// <param name="directory">The crash.</param>
    /// <param name="decoder">The state after the last record; the beginning's when there is none.</param>
    public static UploadJournal Open(CrashDirectory directory, out FlattenedDecoder decoder)
    {
        SafeFileHandle file = File.OpenHandle(directory.File(FileName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);
        try
        {
            File.SetUnixFileMode(file, CrashStore.FileMode);
            UploadJournal journal = new(file);
            decoder = default;
            while (journal.TryRead(journal.Count, out FlattenedDecoder next))
            {
                decoder = next;
                journal.Count++;
            }

            RandomAccess.SetLength(file, (long)journal.Count * RecordLength);
            return journal;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Appends a record; on the disk when this returns. Throws <see cref="IOException"/>, and the journal is as before.</summary>
    /// <param name="decoder">The state to go on with.</param>
    /// <param name="digest">SHA-256 of the block whose end this is; empty when that was not sent as one.</param>
    public void Append(in FlattenedDecoder decoder, ReadOnlySpan<byte> digest)
    {
        Span<byte> record = _record;
        record.Clear();
        Signature.CopyTo(record);
        BinaryPrimitives.WriteInt32LittleEndian(record[8..], Count);
        record[12] = digest.IsEmpty ? (byte)0 : (byte)1;
        decoder.Save(record[StateAt..]);
        digest.CopyTo(record[DigestAt..]);
        Check(record).CopyTo(record[CheckAt..]);
        RandomAccess.Write(_file, record, (long)Count * RecordLength);
        RandomAccess.FlushToDisk(_file);
        Count++;
    }

    /// <summary>SHA-256 over the digests of all blocks in order; null when a part of the upload came without one. Throws <see cref="IOException"/>.</summary>
    public byte[]? DigestOfBlocks()
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (int number = 0; number < Count; number++)
        {
            if (!TryRead(number, out _) || _record[12] == 0)
                return null;
            hash.AppendData(_record, DigestAt, SHA256.HashSizeInBytes);
        }

        return hash.GetHashAndReset();
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    private bool TryRead(int number, out FlattenedDecoder decoder)
    {
        decoder = default;
        Span<byte> record = _record;
        return RandomAccess.Read(_file, record, (long)number * RecordLength) == RecordLength && record.StartsWith(Signature)
            && BinaryPrimitives.ReadInt32LittleEndian(record[8..]) == number && record[CheckAt..].SequenceEqual(Check(record))
            && FlattenedDecoder.TryLoad(record[StateAt..], out decoder);
    }

    private static ReadOnlySpan<byte> Check(ReadOnlySpan<byte> record) => SHA256.HashData(record[..CheckAt]).AsSpan(0, 16);
}
