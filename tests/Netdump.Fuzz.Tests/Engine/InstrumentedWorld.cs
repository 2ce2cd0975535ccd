using System.Reflection;
using System.Runtime.Loader;
using SharpFuzz;

namespace Netdump.Fuzz.Tests.Engine;

/// <summary>
/// A second copy of our assemblies in this process, instrumented by SharpFuzz so that each branch taken is counted in
/// <see cref="TraceMap"/>. The files in the output folder, which other tests use, stay as they are.
/// </summary>
internal sealed class InstrumentedWorld : AssemblyLoadContext
{
    private static readonly Lazy<InstrumentedWorld> Made = new(() => new InstrumentedWorld());

    private readonly Dictionary<string, byte[]> _assemblies = [];

    private InstrumentedWorld()
        : base("instrumented")
    {
        string self = typeof(InstrumentedWorld).Assembly.GetName().Name!;
        string scratch = Directory.CreateTempSubdirectory("netdump-fuzz-").FullName;
        try
        {
            foreach (string file in Directory.GetFiles(AppContext.BaseDirectory, "*.dll"))
            {
                string name = Path.GetFileNameWithoutExtension(file);
                if (!name.StartsWith("netdump", StringComparison.OrdinalIgnoreCase)) continue;
                string copy = Path.Combine(scratch, Path.GetFileName(file));
                File.Copy(file, copy);
                // Of this assembly only the parser that the fuzzer is tried on: the fuzzer must not measure itself.
                Fuzzer.Instrument(copy, type => name != self || type.Contains("PlantedFault", StringComparison.Ordinal), Options.Value);
                _assemblies[name] = File.ReadAllBytes(copy);
            }
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    /// <summary>The one of this process; made when it is first needed.</summary>
    public static InstrumentedWorld Instance => Made.Value;

    /// <summary>Calls <see cref="FuzzLoop.Run"/> in this world.</summary>
    public (int Edges, List<byte[]> Kept, List<(byte[] Input, string Failure)> Findings) Run(
        string target, IReadOnlyList<byte[]> corpus, int iterations, int seed) =>
        ((int, List<byte[]>, List<(byte[], string)>))Method(nameof(FuzzLoop.Run)).Invoke(null, [target, corpus, iterations, seed])!;

    /// <summary>Calls <see cref="FuzzLoop.Minimise"/> in this world.</summary>
    public List<byte[]> Minimise(string target, IReadOnlyList<byte[]> inputs) =>
        (List<byte[]>)Method(nameof(FuzzLoop.Minimise)).Invoke(null, [target, inputs])!;

    /// <summary>The input that <see cref="FuzzLoop.Run"/> is at.</summary>
    public byte[] Current => (byte[])Loop.GetField(nameof(FuzzLoop.Current))!.GetValue(null)!;

    private Type Loop => LoadFromAssemblyName(typeof(FuzzLoop).Assembly.GetName()).GetType(typeof(FuzzLoop).FullName!, throwOnError: true)!;

    protected override Assembly? Load(AssemblyName assemblyName) =>
        _assemblies.TryGetValue(assemblyName.Name!, out byte[]? bytes) ? LoadFromStream(new MemoryStream(bytes)) : null;

    private MethodInfo Method(string name) => Loop.GetMethod(name, BindingFlags.Public | BindingFlags.Static)!;
}
