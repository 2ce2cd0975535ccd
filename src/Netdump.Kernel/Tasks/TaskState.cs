using System.Numerics;

namespace Netdump.Kernel.Tasks;

/// <summary>Words for task_struct.__state and exit_state.</summary>
public static class TaskState
{
    private const ulong Uninterruptible = 0x2;
    private const ulong IdleBits = 0x402; // TASK_UNINTERRUPTIBLE | TASK_NOLOAD
    private const ulong ShownAsUninterruptible = 0x1000 | 0x8000; // TASK_RTLOCK_WAIT, TASK_FROZEN
    private const ulong Reported = 0x7f;
    private const string Letters = "RSDTtXZP";

    /// <summary>The letter that ps and the kernel itself print: R, S, D, T, t, X, Z, P or I.</summary>
    /// <param name="state">task_struct.__state.</param>
    /// <param name="exitState">task_struct.exit_state.</param>
    public static char LetterOf(ulong state, ulong exitState)
    {
        var bits = (state | exitState) & Reported;
        if ((state & IdleBits) == IdleBits)
            return 'I';
        if ((state & ShownAsUninterruptible) != 0)
            bits = Uninterruptible;
        return Letters[64 - BitOperations.LeadingZeroCount(bits)];
    }

    /// <summary>The two letters of crash's ps, e.g. UN for D.</summary>
    public static string CrashWordOf(ulong state, ulong exitState) =>
        (exitState & 0x20) != 0 ? "ZO"
        : (exitState & 0x10) != 0 ? "DE"
        : state == 0 ? "RU"
        : (state & IdleBits) == IdleBits ? "ID"
        : (state & Uninterruptible) != 0 ? "UN"
        : (state & 1) != 0 ? "IN"
        : (state & 4) != 0 ? "ST"
        : (state & 8) != 0 ? "TR"
        : (state & 0x40) != 0 ? "PA"
        : (state & 0x200) != 0 ? "WA"
        : (state & 0x800) != 0 ? "NE"
        : "??";

    /// <summary>What a letter means, in words.</summary>
    public static string Describe(char letter) => letter switch
    {
        'R' => "running",
        'S' => "sleeping",
        'D' => "disk sleep",
        'T' => "stopped",
        't' => "tracing stop",
        'X' => "dead",
        'Z' => "zombie",
        'P' => "parked",
        'I' => "idle",
        _ => "not known",
    };

    /// <summary>The letter for what a user types: a letter, crash's two letters, or a word.</summary>
    /// <returns>Null when it names no state.</returns>
    public static char? Parse(string text) => text switch
    {
        [var letter] when Letters.Contains(letter) || letter == 'I' => letter,
        _ => text.ToUpperInvariant() switch
        {
            "R" or "RU" or "RUNNING" => 'R',
            "S" or "IN" or "SLEEPING" => 'S',
            "D" or "UN" => 'D',
            "ST" or "STOPPED" => 'T',
            "TR" => 't',
            "X" or "DE" or "DEAD" => 'X',
            "Z" or "ZO" or "ZOMBIE" => 'Z',
            "P" or "PA" or "PARKED" => 'P',
            "I" or "ID" or "IDLE" => 'I',
            _ => null,
        },
    };
}
