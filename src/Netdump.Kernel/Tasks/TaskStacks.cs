using System.Runtime.InteropServices;
using Netdump.Kernel.Symbols;
using Netdump.Kernel.Unwind;
using Netdump.Vmcore;

namespace Netdump.Kernel.Tasks;

/// <summary>Stacks of sleeping tasks: the words on them, and the functions they are in.</summary>
internal sealed class TaskStacks(TaskSource source)
{
    private const ulong DefaultSize = 16 << 10;
    private const ulong LargestSize = 128 << 10;

    private readonly CachedMemory _code = new(source.Memory.Read);
    private ulong _size;

    /// <summary>Bytes of a task's stack (THREAD_SIZE): 16 KiB, more in kernels with sanitizers or large pages.</summary>
    public ulong Size => _size > 0 ? _size : _size = FindSize();

    /// <summary>Whether an address lies on a task's stack.</summary>
    public bool Contains(KernelTask task, ulong address) => task.Stack is { } stack && address >= stack && address - stack < Size;

    /// <summary>The used words of a sleeping task's stack, and the address of the first; empty when the stack is not there or its pointer makes no sense.</summary>
    public ulong[] WordsOf(KernelTask task, out ulong start)
    {
        start = task.StackPointer ?? 0;
        if (task.IsDead || task.IsOnProcessor || start % 8 != 0 || !Contains(task, start))
            return [];
        var words = new ulong[(task.Stack!.Value + Size - start) / 8];
        var read = source.Memory.Read(start, MemoryMarshal.AsBytes(words.AsSpan()));
        return read == words.Length * 8 ? words : words[..(read / 8)];
    }

    /// <summary>The functions a sleeping task is in, innermost first; empty when its stack cannot be read.</summary>
    /// <param name="task">The task.</param>
    /// <param name="isGuess">Whether they are words that look like return addresses, some of them stale.</param>
    public IReadOnlyList<(string Name, ulong Pc)> FunctionsOf(KernelTask task, out bool isGuess)
    {
        isGuess = false;
        if (source.Symbols is not { } symbols || task.IsDead || task.IsOnProcessor)
            return [];
        List<(string, ulong)> functions = [];
        if (source.Kernel.Unwinder is { } unwinder)
            foreach (StackFrame frame in unwinder.OfSleeping(task.Address).Frames)
            {
                if (frame.Kind is not (FrameKind.User or FrameKind.Guess)
                    && symbols.TryResolve(frame.Lookup, out SymbolMatch match))
                    functions.Add((match.Name, frame.Pc));
            }
        if (functions.Count > 0)
            return functions;
        // Without an unwinder every word behind a call stands for a frame: enough to see what the innermost calls were.
        foreach (var word in WordsOf(task, out _))
            if (symbols.IsText(word) && (source.Machine != Machines.X64 || CallSites.Before(_code, word, out _) != CallKind.None)
                && symbols.TryResolve(word - 1, out SymbolMatch match))
                functions.Add((match.Name, word));
        isGuess = true;
        return functions;
    }

    private ulong FindSize()
    {
        if (source.Machine != Machines.X64 || source.Symbols is not { } symbols)
            return DefaultSize;
        var hot = Field.Of(source.Types, "pcpu_hot", "top_of_stack");
        foreach (var processor in source.Processors.Processors)
        {
            var at = symbols.OnProcessor("cpu_current_top_of_stack", processor)
                ?? (hot.Exists && symbols.OnProcessor("pcpu_hot", processor) is { } pcpu ? hot.At(pcpu) : null);
            if (at is not { } address || !source.Memory.TryReadUInt64(address, out var top) || source.Processors.CurrentOf(processor) is not { } current
                || source.Layout.Stack.Read(source.Memory, current) is not { } stack || top <= stack || top - stack > LargestSize)
                continue;
            return (top - stack + 4095) & ~4095UL;
        }
        return DefaultSize;
    }
}
