namespace Netdump.Kernel.Unwind;

/// <summary>How the kernel wrote its ORC entries (asm/orc_types.h); the numbers are this program's, by the order of the changes.</summary>
internal enum OrcVersion
{
    /// <summary>Up to 6.2: types CALL, REGS, REGS_PARTIAL, and an end bit.</summary>
    V1 = 1,

    /// <summary>6.3: a signal bit before the end bit.</summary>
    V2 = 2,

    /// <summary>6.4 to 7.0, RHEL 9.6: types UNDEFINED and END_OF_STACK instead of the end bit.</summary>
    V3 = 3,

    /// <summary>Since 7.1: other numbers for the registers.</summary>
    V4 = 4,
}

/// <summary>What an entry counts from, whatever its number is in the table.</summary>
internal enum OrcRegister : byte
{
    Undefined,
    PreviousSp,
    Ax,
    Dx,
    Di,
    Bp,
    Sp,
    R10,
    R13,
    BpIndirect,
    SpIndirect,

    /// <summary>A number that no version has.</summary>
    Invalid,
}

/// <summary>What lies at the canonical frame address.</summary>
internal enum OrcType : byte
{
    /// <summary>Nothing is known: assembler without hints, or a function that must not be unwound.</summary>
    Undefined,

    /// <summary>The outermost frame.</summary>
    End,

    /// <summary>A return address just below.</summary>
    Call,

    /// <summary>A full struct pt_regs.</summary>
    Registers,

    /// <summary>The five words that the processor pushes.</summary>
    Interrupt,

    /// <summary>A number that no version has.</summary>
    Invalid,
}

/// <summary>One ORC entry: how to get from a place in the code to its caller.</summary>
/// <param name="SpOffset">Bytes added to the register for the canonical frame address.</param>
/// <param name="BpOffset">Where the caller's rbp was saved, relative to <paramref name="Bp"/>.</param>
/// <param name="Sp">What the canonical frame address is counted from.</param>
/// <param name="Bp">What the place of the caller's rbp is counted from.</param>
/// <param name="Type">What lies there.</param>
/// <param name="IsSignal">Whether the caller's program counter is exact, and no return address.</param>
internal readonly record struct OrcEntry(short SpOffset, short BpOffset, OrcRegister Sp, OrcRegister Bp, OrcType Type, bool IsSignal)
{
    /// <summary>Bytes of an entry: s16 sp_offset, s16 bp_offset, 16 bits.</summary>
    public const int Size = 6;

    /// <summary>A function right after its call: what is done about a call through a NULL pointer.</summary>
    public static OrcEntry JustCalled => new(8, 0, OrcRegister.Sp, OrcRegister.Undefined, OrcType.Call, IsSignal: false);

    /// <summary>A function that set rbp up: the guess about code that has no table (BPF, trampolines).</summary>
    public static OrcEntry FramePointer => new(16, -16, OrcRegister.Bp, OrcRegister.PreviousSp, OrcType.Call, IsSignal: false);

    /// <summary>Reads an entry.</summary>
    /// <param name="spOffset">Its first half-word.</param>
    /// <param name="bpOffset">Its second half-word.</param>
    /// <param name="bits">Its third half-word.</param>
    /// <param name="version">How the table is written.</param>
    public static OrcEntry Decode(short spOffset, short bpOffset, ushort bits, OrcVersion version)
    {
        var sp = Register(bits & 15, version);
        var bp = Register(bits >> 4 & 15, version);
        OrcType type;
        bool signal;
        if (version >= OrcVersion.V3)
        {
            type = (bits >> 8 & 7) switch { 0 => OrcType.Undefined, 1 => OrcType.End, 2 => OrcType.Call, 3 => OrcType.Registers, 4 => OrcType.Interrupt, _ => OrcType.Invalid };
            signal = (bits >> 11 & 1) != 0;
        }
        else
        {
            type = (bits >> 8 & 3) switch { 0 => OrcType.Call, 1 => OrcType.Registers, 2 => OrcType.Interrupt, _ => OrcType.Invalid };
            signal = version == OrcVersion.V1 ? type != OrcType.Call : (bits >> 10 & 1) != 0;
            if (sp == OrcRegister.Undefined)
                type = (bits >> (version == OrcVersion.V1 ? 10 : 11) & 1) != 0 ? OrcType.End : OrcType.Undefined;
        }
        return new OrcEntry(spOffset, bpOffset, sp, bp, type, signal);
    }

    private static OrcRegister Register(int number, OrcVersion version) => version == OrcVersion.V4
        ? number switch
        {
            0 => OrcRegister.Undefined,
            1 => OrcRegister.Ax,
            2 => OrcRegister.Dx,
            3 => OrcRegister.Sp,
            4 => OrcRegister.Bp,
            5 => OrcRegister.Di,
            6 => OrcRegister.R10,
            7 => OrcRegister.R13,
            8 => OrcRegister.PreviousSp,
            9 => OrcRegister.SpIndirect,
            10 => OrcRegister.BpIndirect,
            _ => OrcRegister.Invalid,
        }
        : number switch
        {
            0 => OrcRegister.Undefined,
            1 => OrcRegister.PreviousSp,
            2 => OrcRegister.Dx,
            3 => OrcRegister.Di,
            4 => OrcRegister.Bp,
            5 => OrcRegister.Sp,
            6 => OrcRegister.R10,
            7 => OrcRegister.R13,
            8 => OrcRegister.BpIndirect,
            9 => OrcRegister.SpIndirect,
            _ => OrcRegister.Invalid,
        };
}
