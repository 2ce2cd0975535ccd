namespace Netdump.Kernel.Incidents;

/// <summary>The error code of an x86 page fault, in the kernel's words (arch/x86/include/asm/trap_pf.h).</summary>
public static class PageFaultError
{
    private const ulong Present = 1 << 0, Write = 1 << 1, User = 1 << 2, Reserved = 1 << 3, Fetch = 1 << 4, ProtectionKey = 1 << 5, ShadowStack = 1 << 6;
    private const ulong Enclave = 1 << 15, ReverseMap = 1UL << 31;

    /// <summary>What was tried: <c>read</c>, <c>write</c> or <c>execute</c>.</summary>
    /// <param name="code">The number in <c>#PF: error_code(0x0002)</c>.</param>
    public static string Access(ulong code) => (code & Fetch) != 0 ? "execute" : (code & Write) != 0 ? "write" : "read";

    /// <summary>What was tried, and why it failed: <c>write access by the kernel to a page that is not present</c>.</summary>
    /// <param name="code">The number in <c>#PF: error_code(0x0002)</c>, or of the line <c>Oops: 0002</c>.</param>
    public static string Words(ulong code)
    {
        string access = (code & Fetch) != 0 ? "instruction fetch" : (code & Write) != 0 ? "write access" : "read access";
        string who = (code & User) != 0 ? "user mode" : "the kernel";
        string why = (code & Reserved) != 0 ? "a page whose table has reserved bits set"
            : (code & ProtectionKey) != 0 ? "a page that a protection key forbids"
            : (code & ShadowStack) != 0 ? "a page of a shadow stack"
            : (code & Enclave) != 0 ? "a page that the enclave's map forbids"
            : (code & ReverseMap) != 0 ? "a page that the reverse map table forbids"
            : (code & Present) != 0 ? "a page whose protection forbids it" : "a page that is not present";
        return $"{access} by {who} to {why}";
    }
}
