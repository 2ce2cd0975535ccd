namespace Netdump.Vmcore.Output;

/// <summary>Where a dump is written to, by position. For one thread.</summary>
public abstract class DumpOutput : IDisposable
{
    /// <summary>Bytes handed over so far, those of headers that were written twice counted twice.</summary>
    public long BytesWritten { get; private protected set; }

    /// <summary>Writes bytes at a position; what is written later at the same place counts.</summary>
    /// <param name="offset">Position in the dump.</param>
    /// <param name="bytes">What stands there.</param>
    /// <exception cref="IOException">The disk is full or failed, or the pipe was closed.</exception>
    public abstract void Write(long offset, ReadOnlySpan<byte> bytes);

    /// <summary>Makes the dump at least so long, with zeros where nothing is written.</summary>
    /// <exception cref="IOException">The disk is full or failed.</exception>
    public abstract void Extend(long length);

    /// <summary>Ends the dump: all of it is where it was sent.</summary>
    /// <exception cref="IOException">The disk is full or failed, or the pipe was closed.</exception>
    public abstract void Finish();

    /// <inheritdoc/>
    public abstract void Dispose();
}
