namespace Netdump.Kernel.Tasks;

/// <summary>The kernel's table of process ids (init_pid_ns.idr): it knows every thread, so it helps where the list of tasks is broken.</summary>
internal static class PidTable
{
    private const int Most = 4 << 20; // the kernel's own limit of process ids

    /// <summary>Addresses of the tasks that have an id, in the order of the ids.</summary>
    public static IEnumerable<ulong> Tasks(TaskSource source)
    {
        Field idr = Field.Of(source.Types, "pid_namespace", "idr"), first = Field.Of(source.Types, "pid", "tasks[0].first"),
            link = Field.Of(source.Types, "task_struct", "pid_links[0]");
        if (source.Symbols is not { } symbols || !symbols.TryFind("init_pid_ns", out var space) || !idr.Exists || !first.Exists || !link.Exists)
        {
            source.Gaps.Add("table of process ids", "the dump's symbols or types do not tell where it is");
            yield break;
        }
        foreach (var pid in EntriesOf(source, idr.At(space)))
            if (first.Read(source.Memory, pid) is > 0 and var node)
                yield return unchecked(node - (ulong)link.Offset);
    }

    /// <summary>What a struct idr holds.</summary>
    public static IEnumerable<ulong> EntriesOf(TaskSource source, ulong idr) =>
        source.Types is { } types ? types.Idr(idr, Most).Select(e => e.Entry) : [];
}
