namespace Netdump.Kernel.Incidents;

/// <summary>What is known of a fault, from the log, the memory, or both.</summary>
/// <param name="Kind">The kind the report's head names.</param>
/// <param name="Address">The address that faulted.</param>
/// <param name="ErrorCode">x86's page-fault error code.</param>
/// <param name="InstructionPointer">Where.</param>
/// <param name="Registers">General registers at the place.</param>
public readonly record struct FaultFacts(
    IncidentKind Kind, ulong? Address, ulong? ErrorCode, ulong? InstructionPointer, IReadOnlyList<KeyValuePair<string, ulong>> Registers)
{
    /// <summary>Whether the machine is arm64: other error codes, no SMAP.</summary>
    public bool IsArm64 { get; init; }
}

/// <summary>Classes a fault: the rules of docs/signature.md in their order, the same for a log and for memory.</summary>
public static class FaultClass
{
    private const ulong FirstPage = 4096;
    private const ulong UserEnd = 1UL << 47;
    private const ulong ImageStart = 0xffffffff80000000; // x86_64: the kernel's image, then modules
    private const ulong Protection = 1, Write = 2, Fetch = 16; // bits of the error code

    /// <summary>The class of a page fault or general protection fault.</summary>
    public static string Of(in FaultFacts facts)
    {
        if (facts.InstructionPointer is < FirstPage || (facts.ErrorCode is { } code && (code & Fetch) != 0 && facts.Address is < FirstPage && !facts.IsArm64))
            return CrashClass.NullJump;
        if (facts.Address is { } address)
        {
            if (address < FirstPage)
                return CrashClass.NullDereference;
            if (PoisonOf(address) is not null)
                return CrashClass.Poison;
        }
        if (facts.Kind == IncidentKind.GeneralProtection)
            return facts.Address is null && IsPoisonInRegister(facts) ? CrashClass.Poison : CrashClass.GeneralProtection;
        if (facts.Address is not { } place)
            return facts.Kind == IncidentKind.NullDereference ? CrashClass.NullDereference : CrashClass.PageFault;
        if (place > ulong.MaxValue - 4095)
            return CrashClass.ErrorPointer;
        if (facts.IsArm64)
            return place < UserEnd ? CrashClass.UserPointer : CrashClass.PageFault;
        if (place < UserEnd)
            return facts.ErrorCode is { } user && (user & Protection) != 0 ? CrashClass.UserPointer : CrashClass.PageFault;
        // What is writable in the kernel's image and in its modules does not forbid a write: so it was text or read-only data.
        return facts.ErrorCode is { } bits && (bits & (Protection | Write)) == (Protection | Write) && place >= ImageStart
            ? CrashClass.ReadOnlyWrite : CrashClass.PageFault;
    }

    /// <summary>What a poisoned pointer was marked as, or null. A member of what it points to counts, too.</summary>
    public static string? PoisonOf(ulong address)
    {
        if (Near(address, 0xdead000000000000, FirstPage))
        {
            return (address - 0xdead000000000000) switch
            {
                >= 0x100 and < 0x122 => "a list entry that was deleted (LIST_POISON1)",
                >= 0x122 and < 0x200 => "a list entry that was deleted (LIST_POISON2)",
                0x300 => "a timer that never was started (TIMER_ENTRY_STATIC)",
                >= 0x400 and < 0x500 => "a page's mapping after the page was freed (TAIL_MAPPING)",
                _ => "a poisoned pointer",
            };
        }
        ulong pattern = address & 0xff;
        foreach ((byte value, string meaning) in Patterns)
        {
            ulong full = value * 0x0101010101010101UL;
            if (Near(address, full, FirstPage) || Near(full, address, FirstPage))
                return meaning;
        }
        return null;
    }

    private static readonly (byte Value, string Meaning)[] Patterns =
    [
        (0x6b, "memory of a freed object (slab poison 6b)"),
        (0x5a, "memory of an object nobody filled in (slab poison 5a)"),
        (0xa5, "the end of a slab object's poison (a5)"),
        (0xbb, "a slab object's red zone (bb: freed)"),
        (0xcc, "a slab object's red zone (cc: in use)"),
        (0xaa, "a freed page (page poison aa)"),
    ];

    private static bool Near(ulong address, ulong start, ulong length) => address - start < length;

    private static bool IsPoisonInRegister(in FaultFacts facts)
    {
        foreach ((string name, ulong value) in facts.Registers)
        {
            if (IsGeneral(name) && PoisonOf(value) is not null)
                return true;
        }
        return false;
    }

    private static bool IsGeneral(string name) =>
        name is "rax" or "rbx" or "rcx" or "rdx" or "rsi" or "rdi" or "rbp" or "r8" or "r9" or "r08" or "r09" or "r10" or "r11" or "r12" or "r13" or "r14" or "r15"
        || (name is ['x', ..] && name.Length is 2 or 3);
}
