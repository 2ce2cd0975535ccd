namespace Netdump.Protocols.Tests;

/// <summary>Bytes that code allocates.</summary>
internal static class Garbage
{
    /// <summary>
    /// Runs <paramref name="stretch"/> <paramref name="count"/> times and returns the fewest bytes that one run allocated on this thread. The runtime
    /// allocates here now and then, as when it compiles a hot method anew; garbage of the code itself is in every stretch.
    /// </summary>
    public static long OfLeastStretch(int count, Action stretch)
    {
        long least = long.MaxValue;
        for (int i = 0; i < count; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            stretch();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
