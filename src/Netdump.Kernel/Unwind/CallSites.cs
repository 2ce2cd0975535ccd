using System.Buffers.Binary;

namespace Netdump.Kernel.Unwind;

/// <summary>What kind of call stands before an address.</summary>
internal enum CallKind
{
    /// <summary>None: the address is no return address.</summary>
    None,

    /// <summary>A call of one function.</summary>
    Direct,

    /// <summary>A call through a register or memory.</summary>
    Indirect,
}

/// <summary>Tells by the code before it whether a word of an x86_64 stack can be a return address.</summary>
internal static class CallSites
{
    private const int Longest = 8;

    /// <summary>Looks at the instruction before an address.</summary>
    /// <param name="memory">Kernel memory.</param>
    /// <param name="returnAddress">The address.</param>
    /// <param name="target">What is called, for a direct call.</param>
    public static CallKind Before(CachedMemory memory, ulong returnAddress, out ulong target)
    {
        target = 0;
        Span<byte> code = stackalloc byte[Longest];
        if (returnAddress < Longest || !memory.TryRead(returnAddress - Longest, code))
            return CallKind.None;
        if (code[^5] == 0xe8)
        {
            target = unchecked(returnAddress + (ulong)(long)BinaryPrimitives.ReadInt32LittleEndian(code[^4..]));
            return CallKind.Direct;
        }
        for (var length = 2; length < Longest; length++)
            if (IsIndirect(code[^length..]))
                return CallKind.Indirect;
        return CallKind.None;
    }

    /// <summary>
    /// Where in its frame a function saved rbp: which push of its prologue it was, counting from 1; 0 when it did not. A function begins with
    /// endbr64 and the tracer's call or nop, then pushes; the compiler puts moves between registers among the pushes.
    /// </summary>
    public static int PushOfFramePointer(CachedMemory memory, ulong function)
    {
        Span<byte> buffer = stackalloc byte[64];
        ReadOnlySpan<byte> code = buffer[..memory.Read(function, buffer)];
        if (code.StartsWith((ReadOnlySpan<byte>)[0xf3, 0x0f, 0x1e, 0xfa]))
            code = code[4..];
        if (code.StartsWith((ReadOnlySpan<byte>)[0x0f, 0x1f, 0x44, 0x00, 0x00]) || (code.Length >= 5 && code[0] == 0xe8))
            code = code[5..];
        for (var pushes = 0; code.Length >= 3;)
        {
            if (code[0] == 0x55)
                return pushes + 1;
            var skip = 0;
            if (code[0] is >= 0x50 and <= 0x57 || (code[0] == 0x41 && code[1] is >= 0x50 and <= 0x57))
            {
                pushes++;
                skip = code[0] == 0x41 ? 2 : 1;
            }
            else if (code[0] is 0x89 or 0x31 && code[1] >= 0xc0)
                skip = 2;
            else if (code[0] is >= 0x40 and <= 0x4f && code[1] is 0x89 or 0x31 && code[2] >= 0xc0)
                skip = 3;
            if (skip == 0)
                return 0;
            code = code[skip..];
        }
        return 0;
    }

    // ff /2: call r/m64, with a REX prefix or without, of just these bytes.
    private static bool IsIndirect(ReadOnlySpan<byte> code)
    {
        if (code[0] is >= 0x40 and <= 0x4f)
            code = code[1..];
        if (code.Length < 2 || code[0] != 0xff || (code[1] >> 3 & 7) != 2)
            return false;
        var (mode, register) = (code[1] >> 6, code[1] & 7);
        var length = 2;
        if (mode != 3 && register == 4)
        {
            if (code.Length < 3)
                return false;
            length++;
            if (mode == 0 && (code[2] & 7) == 5)
                length += 4;
        }
        length += mode switch { 0 => register == 5 ? 4 : 0, 1 => 1, 2 => 4, _ => 0 };
        return code.Length == length;
    }
}
