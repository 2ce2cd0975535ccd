namespace Netdump.Vmcore;

/// <summary>Bytes of a dump are not what its format says they must be: corrupt, cut short, or of a kind this reader does not know.</summary>
/// <remarks>The message is one line for a person: what was found and what was expected. Failures of the disk are <see cref="IOException"/>.</remarks>
public sealed class VmcoreFormatException : Exception
{
    /// <summary>Creates the error.</summary>
    /// <param name="offset">Byte offset in the file (or in the named structure) where the trouble lies; -1 when there is none.</param>
    /// <param name="message">What was found and what was expected, without the offset.</param>
    public VmcoreFormatException(long offset, string message)
        : base(offset < 0 ? message : $"{message} (at offset 0x{offset:x})") => Offset = offset;

    /// <summary>Byte offset where the trouble lies; -1 when there is none.</summary>
    public long Offset { get; }
}
