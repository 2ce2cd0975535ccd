namespace Netdump.Kernel.Unwind;

/// <summary>A function of the kernel.</summary>
/// <param name="Start">Its first address.</param>
/// <param name="End">Behind its last.</param>
/// <param name="Name">Its name.</param>
internal readonly record struct CodeFunction(ulong Start, ulong End, string Name);

/// <summary>What a walk asks about code addresses.</summary>
/// <param name="IsText">Whether an address is code of the kernel or a module.</param>
/// <param name="Find">The function an address is in; null when it is not known.</param>
internal sealed record KernelCode(Func<ulong, bool> IsText, Func<ulong, CodeFunction?> Find)
{
    /// <summary>Nothing is known: what a kernel without symbols gives.</summary>
    public static KernelCode Unknown { get; } = new(_ => false, _ => null);
}
