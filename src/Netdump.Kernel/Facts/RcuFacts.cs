using Netdump.Kernel.Tasks;

namespace Netdump.Kernel.Facts;

/// <summary>How RCU was doing (struct rcu_state): a stalled grace period holds up all who wait for one, and memory with it.</summary>
/// <param name="IsRunning">Whether a grace period was under way.</param>
/// <param name="Seconds">How long it had been under way; null while none is.</param>
/// <param name="SecondsToWarning">Time left until the kernel complains of a stall; negative when it has.</param>
/// <param name="Warning">How long a grace period may last until the kernel complains, in seconds.</param>
/// <param name="ThreadSilent">Seconds since RCU's thread last did something: long while a grace period runs means that it does not get a processor.</param>
/// <param name="MissingProcessors">Processors that the grace period waits for.</param>
/// <param name="BlockedReaders">Tasks that gave up the processor within a read-side section that the grace period waits for.</param>
/// <param name="Callbacks">Callbacks that wait on each processor.</param>
public sealed record RcuFacts(
    bool IsRunning, double? Seconds, double? SecondsToWarning, double? Warning, double? ThreadSilent, IReadOnlyList<int> MissingProcessors,
    IReadOnlyList<KernelTask> BlockedReaders, IReadOnlyDictionary<int, long> Callbacks)
{
    private const int MostNodes = 1024;
    private const int MostReaders = 1 << 16;

    /// <summary>Whether the kernel would have complained of a stall.</summary>
    public bool IsStalled => IsRunning && SecondsToWarning is < 0;

    internal static RcuFacts? Read(TaskSource source, TaskList tasks, KernelClock clock)
    {
        if (source.Symbols is not { } symbols || source.Types is not { } types || !symbols.TryFind("rcu_state", out var state)
            || Field.Of(types, "rcu_state", "gp_seq").Read(source.Memory, state) is not { } sequence)
            return null;
        var isRunning = (sequence & 3) != 0;
        double? Since(string member) => Field.Of(types, "rcu_state", member).Read(source.Memory, state) is > 0 and var at ? clock.SecondsSince(at) : null;
        var started = Since("gp_start");
        var toWarning = -Since("jiffies_stall");
        List<int> missing = [];
        List<KernelTask> readers = [];
        if (isRunning)
            ReadNodes(source, tasks, state, missing, readers);
        Dictionary<int, long> callbacks = [];
        var length = Field.Of(types, "rcu_data", "cblist.len.counter", "cblist.len");
        if (symbols.TryFind("rcu_data", out var data))
            foreach (var processor in tasks.Processors)
                if (length.ReadSigned(source.Memory, symbols.OnProcessor(data, processor)) is { } count)
                    callbacks[processor] = count;
        return new RcuFacts(
            isRunning, isRunning ? started : null, isRunning ? toWarning : null, isRunning ? started + toWarning : null, Since("gp_activity"), missing, readers, callbacks);
    }

    // The processors' own nodes are the last level of the tree, and lie last in its array.
    private static void ReadNodes(TaskSource source, TaskList tasks, ulong state, List<int> missing, List<KernelTask> readers)
    {
        const string Node = "rcu_node";
        var types = source.Types!;
        if (types.SizeOf(Node) is not (> 0 and var size) || types.OffsetOf("rcu_state", "node") is not { } first || types.SizeOf("rcu_state") is not { } all)
            return;
        Field mask = Field.Of(types, Node, "qsmask"), low = Field.Of(types, Node, "grplo"), high = Field.Of(types, Node, "grphi"), level = Field.Of(types, Node, "level"),
            blocking = Field.Of(types, Node, "gp_tasks"), list = Field.Of(types, Node, "blkd_tasks"), entry = Field.Of(types, "task_struct", "rcu_node_entry");
        var count = types.FindMember(types.Find("rcu_state"), "node") is { Size: > 0 } member ? member.Size / size : (all - first) / size;
        if (source.Symbols!.TryFind("rcu_num_nodes", out var at) && source.Memory.TryReadInt32(at, out var used) && used > 0 && used < count)
            count = used;
        var last = source.Symbols.TryFind("rcu_num_lvls", out at) && source.Memory.TryReadInt32(at, out var levels) ? levels - 1 : 0;
        for (var i = 0; i < Math.Min(count, MostNodes); i++)
        {
            var node = state + (ulong)(first + i * size);
            if (level.ReadSigned(source.Memory, node) is { } depth && depth != last)
                continue;
            if (mask.Read(source.Memory, node) is { } bits && low.ReadSigned(source.Memory, node) is { } from && high.ReadSigned(source.Memory, node) is { } to)
                for (var bit = 0; bit < 64 && from + bit <= to; bit++)
                    if ((bits >> bit & 1) != 0)
                        missing.Add((int)from + bit);
            // gp_tasks points into the list of blocked readers: that one and those behind it hold up this grace period.
            if (!entry.Exists || !list.Exists || blocking.Read(source.Memory, node) is not (> 0 and var reader))
                continue;
            var head = list.At(node);
            for (var n = 0; n < MostReaders && reader != head && tasks.FindAt(unchecked(reader - (ulong)entry.Offset)) is { } task; n++)
            {
                readers.Add(task);
                if (!source.Memory.TryReadUInt64(reader, out reader))
                    break;
            }
        }
    }
}
