using System.Numerics;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Netdump.Fuzz.Tests.Engine;

/// <summary>
/// The 64 KiB of counters that instrumented code writes, one for each pair of branches taken one after the other, and what of them was
/// ever seen. Counts are told apart by their power of two, as AFL does.
/// </summary>
internal sealed unsafe class TraceMap : IDisposable
{
    private const int Size = 1 << 16;

    // By reflection: SharpFuzz takes an assembly that refers to its counters for one that is instrumented already, and ours is to be.
    private static readonly Type Trace = Type.GetType("SharpFuzz.Common.Trace, SharpFuzz.Common", throwOnError: true)!;
    private static readonly FieldInfo SharedMemory = Trace.GetField("SharedMem")!;
    private static readonly FieldInfo PreviousLocation = Trace.GetField("PrevLocation")!;

    private readonly byte* _counts = (byte*)NativeMemory.AllocZeroed(Size);
    private readonly byte[] _seen = new byte[Size];

    public TraceMap() => SharedMemory.SetValue(null, Pointer.Box(_counts, typeof(byte*)));

    /// <summary>Pairs of branches ever taken.</summary>
    public int Edges { get; private set; }

    /// <summary>Before an input.</summary>
    public void Begin()
    {
        new Span<byte>(_counts, Size).Clear();
        PreviousLocation.SetValue(null, 0);
    }

    /// <summary>After an input: whether it went where none went before, or went there much more often.</summary>
    public bool TakeNew()
    {
        bool isNew = false;
        ulong* words = (ulong*)_counts;
        for (int word = 0; word < Size / 8; word++)
        {
            if (words[word] == 0) continue;
            for (int i = word * 8; i < word * 8 + 8; i++)
            {
                if (_counts[i] == 0) continue;
                byte bucket = (byte)(1 << BitOperations.Log2(_counts[i]));
                if ((_seen[i] & bucket) != 0) continue;
                if (_seen[i] == 0) Edges++;
                _seen[i] |= bucket;
                isNew = true;
            }
        }

        return isNew;
    }

    /// <summary>The pairs the last input took, for the choice of a small corpus.</summary>
    public HashSet<int> Taken()
    {
        HashSet<int> taken = [];
        for (int i = 0; i < Size; i++)
            if (_counts[i] != 0) taken.Add(i);
        return taken;
    }

    public void Dispose()
    {
        // Instrumented code may run once more, at the end of the process: its map stays, 64 KiB for each target.
    }
}
