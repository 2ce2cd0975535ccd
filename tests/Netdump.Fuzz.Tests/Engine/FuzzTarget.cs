namespace Netdump.Fuzz.Tests.Engine;

/// <summary>
/// One parser under the fuzzer. A public class with a constructor without parameters is all it takes: it is found by itself, fuzzed, and
/// its corpus (<c>Corpus/CLASS/</c>) replayed. docs/testing.md shows how to add one.
/// </summary>
public abstract class FuzzTarget
{
    /// <summary>Name of the target and of its corpus folder.</summary>
    public string Name => GetType().Name;

    /// <summary>Longest input that is made, in bytes.</summary>
    public virtual int MaximumLength => 4096;

    /// <summary>Part of the usual number of inputs it gets: less than 1 for a target whose inputs take long.</summary>
    public virtual double Share => 1;

    /// <summary>Most bytes of garbage that one input may cost.</summary>
    public virtual long MaximumAllocation => 64 << 20;

    /// <summary>Pieces the format is made of, for the mutator: keywords, signatures, delimiters.</summary>
    public virtual IReadOnlyList<byte[]> Tokens => [];

    /// <summary>Sound inputs to begin with, beside the corpus.</summary>
    public virtual IEnumerable<byte[]> Seeds => [];

    /// <summary>
    /// Parses one input. Must be a function of the input alone. Throws what the parser throws; <see cref="IsExpected"/> tells the errors
    /// it is meant to give from its faults. What must hold afterwards is checked here, too, with <see cref="Require"/>.
    /// </summary>
    public abstract void Run(ReadOnlySpan<byte> input);

    /// <summary>Whether the parser says by this exception that the input is no good, as its documentation promises.</summary>
    public virtual bool IsExpected(Exception exception) => false;

    /// <summary>States what must hold whatever the input.</summary>
    protected static void Require(bool holds, string what)
    {
        if (!holds) throw new InvalidOperationException("broken promise: " + what);
    }

    /// <summary>Runs an input; gives what went wrong, or null.</summary>
    public string? Try(byte[] input)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            Run(input);
        }
        catch (Exception exception) when (IsExpected(exception))
        {
            // It said so.
        }
        catch (Exception exception)
        {
            return exception.ToString();
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        return allocated > MaximumAllocation ? $"{allocated} bytes of garbage for {input.Length} bytes of input" : null;
    }

    /// <summary>All targets there are, by name.</summary>
    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        .. typeof(FuzzTarget).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(FuzzTarget)) && !type.IsAbstract)
            .OrderBy(type => type.Name, StringComparer.Ordinal)
            .Select(type => (FuzzTarget)Activator.CreateInstance(type)!),
    ];

    /// <summary>The target of a name.</summary>
    public static FuzzTarget Of(string name) => All.Single(target => target.Name == name);
}
