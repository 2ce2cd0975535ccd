using Netdump.Kernel.Unwind;

namespace Netdump.Client.Commands;

/// <summary>Tasks with one and the same stack in the kernel.</summary>
/// <param name="Kernel">The stack, of one of them.</param>
/// <param name="Members">The tasks.</param>
/// <param name="Oldest">How long the one that waits longest has not run; null when that is not known of any.</param>
internal sealed record StackGroup(KernelStack Kernel, IReadOnlyList<TaskStack> Members, TimeSpan? Oldest)
{
    /// <summary>Groups stacks by their program counters in the kernel; the largest group first, of equal ones the one that waits longest.</summary>
    public static IEnumerable<StackGroup> Of(IEnumerable<TaskStack> stacks) => stacks
        .GroupBy(s => string.Join(' ', s.Stack.Frames.Where(f => f.Kind != FrameKind.User).Select(f => $"{f.Pc:x}{(f.IsReliable ? "" : "?")}")) + s.Stack.Stopped)
        .Select(g => new StackGroup(g.First().Stack.WithoutUser(), [.. g], g.Max(m => m.Task?.SinceLastRun)))
        .OrderByDescending(g => g.Members.Count).ThenByDescending(g => g.Oldest);
}
