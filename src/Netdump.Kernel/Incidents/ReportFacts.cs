using System.Buffers;

namespace Netdump.Kernel.Incidents;

/// <summary>Reads the facts out of a report's lines: process, machine, registers, call trace. What comes first counts; a report repeats itself.</summary>
internal sealed class ReportFacts
{
    private static readonly SearchValues<char> RegisterLetters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789xlrsp");

    private const int MostRegisters = 64;

    private readonly List<KeyValuePair<string, ulong>> _registers = [];
    private readonly ReportTraces _traces = new();
    private bool _codeFailed, _registersDone, _placed;
    private ulong? _closingCr2, _innerCr2;

    public int? Cpu { get; private set; }
    public int? Pid { get; private set; }
    public string? Comm { get; private set; }
    public string? Release { get; private set; }
    public string? Taint { get; private set; }
    public string? Hardware { get; private set; }
    public string? Workqueue { get; private set; }
    public string? SourceLine { get; private set; }
    public bool IsArmed { get; private set; }
    public int OopsNumber { get; private set; }
    public ulong? ErrorCode { get; private set; }
    public string? Code { get; private set; }
    public int? Owner { get; private set; }
    public string? PanicText { get; private set; }
    public bool IsArm64 { get; private set; }
    public IReadOnlyList<KeyValuePair<string, ulong>> Registers => _registers;
    public IReadOnlyList<LogFrame> Trace { get; private set; } = [];
    public ulong? InstructionPointer { get; private set; }

    /// <summary>The address of the report's own line, else the closing CR2, else that of the registers where the code bytes could be printed.</summary>
    public ulong? FaultAddress => HeadAddress ?? _closingCr2 ?? (_codeFailed ? null : _innerCr2);

    private ulong? HeadAddress { get; set; }

    /// <summary>Reads a report.</summary>
    /// <param name="kind">Its kind: only page faults take an address from CR2.</param>
    /// <param name="lines">All of its lines.</param>
    public static ReportFacts Read(IncidentKind kind, IReadOnlyList<string> lines)
    {
        var facts = new ReportFacts();
        foreach (string line in lines)
            facts.Read(line);
        facts.Trace = facts._traces.Choose(kind);
        if (kind is not (IncidentKind.PageFault or IncidentKind.NullDereference or IncidentKind.Oops))
        {
            facts._closingCr2 = null;
            facts._innerCr2 = null;
        }
        return facts;
    }

    private void Read(ReadOnlySpan<char> line)
    {
        ReadPanic(line);
        ReadHead(line);
        ReadProcess(line);
        ReadCode(line);
        ReadPlace(line);
        ReadRegisters(line);
        _traces.Read(line);
    }

    private void ReadPanic(ReadOnlySpan<char> line)
    {
        ReadOnlySpan<char> text = Text.After(line, "Kernel panic - not syncing: ");
        if (PanicText is null && !text.IsEmpty && !line.Contains("---[ end", StringComparison.Ordinal))
            PanicText = text.ToString();
    }

    private void ReadHead(ReadOnlySpan<char> line)
    {
        if (HeadAddress is null)
        {
            foreach (string word in (ReadOnlySpan<string>)["dereference, address: ", "page fault for address: ", "non-canonical address ",
                "dereference at virtual address ", "paging request at virtual address ", "user memory outside uaccess routines at virtual address ",
                "paging request at ", "dereference at ", "at virtual address ", "data access on read at ", "data access on write at "])
            {
                if (Text.TryHex(Text.After(line, word).TrimStart(' '), out ulong address))
                {
                    HeadAddress = address;
                    break;
                }
                if (Text.After(line, word).TrimStart(' ').StartsWith("(null)"))
                {
                    HeadAddress = 0;
                    break;
                }
            }
        }
        if (ErrorCode is null)
        {
            foreach (string word in (ReadOnlySpan<string>)["#PF: error_code(", "ESR = ", "Oops: Oops: ", "Internal error: Oops: ", "Oops: "])
            {
                if (Text.TryHex(Text.After(line, word), out ulong code) && Text.After(line, word) is not ['g' or 'i' or 'd' or 'F', ..])
                {
                    ErrorCode = code;
                    break;
                }
            }
        }
        int number = line.IndexOf("[#", StringComparison.Ordinal);
        if (OopsNumber == 0 && number >= 0 && line[(number + 2)..].IndexOf(']') is > 0 and < 8)
            OopsNumber = Text.Decimal(line[(number + 2)..]) ?? 0;
        foreach (string word in (ReadOnlySpan<string>)["kernel BUG at ", "WARNING: ", "UBSAN: "])
            ReadSource(Text.After(line, word));
        foreach (string word in (ReadOnlySpan<string>)["likely owned by task ", "likely last held by task "])
            ReadOwner(Text.After(line, word));
        IsArm64 |= line.Contains("Mem abort info:", StringComparison.Ordinal) || line.Contains("pstate: ", StringComparison.Ordinal);
        IsArmed |= line.Contains("Kdump: loaded", StringComparison.Ordinal);
    }

    // "mm/slub.c:123": the first word of the form
    private void ReadSource(ReadOnlySpan<char> rest)
    {
        if (SourceLine is not null || rest.IsEmpty)
            return;
        foreach (Range range in rest.Split(' '))
        {
            ReadOnlySpan<char> word = rest[range].TrimEnd("!,");
            int colon = word.IndexOf(':');
            if (colon < 3 || colon + 1 >= word.Length || !char.IsAsciiDigit(word[colon + 1]) || !word[..colon].Contains('.'))
                continue;
            SourceLine = word.ToString();
            return;
        }
    }

    private void ReadOwner(ReadOnlySpan<char> rest)
    {
        int end = rest.IndexOf('.');
        int colon = (end < 0 ? rest : rest[..end]).LastIndexOf(':');
        if (Owner is null && colon > 0)
            Owner = Text.Decimal(rest[(colon + 1)..]);
    }

    private void ReadProcess(ReadOnlySpan<char> line)
    {
        int comm = line.IndexOf(" Comm: ", StringComparison.Ordinal);
        // The rest of the line may be a record of its own: two CPUs printed.
        bool rest = Comm is not null && Release is null && (line.StartsWith(" Kdump: loaded") || line.StartsWith(" Tainted: ") || line.StartsWith(" Not tainted "));
        if (rest)
            ReadComm(line);
        if (comm >= 0 && Release is null)
        {
            Cpu = FrameText.Number(line, "CPU: ") ?? Cpu;
            Pid ??= FrameText.Number(line, " PID: ") ?? FrameText.Number(line, "Pid: ");
            ReadComm(line[(comm + 7)..]);
        }
        ReadOnlySpan<char> hardware = Text.After(line, "Hardware name: ");
        if (Hardware is null && !hardware.IsEmpty)
            Hardware = hardware.ToString();
        if (Workqueue is null && line.StartsWith("Workqueue: "))
            Workqueue = line[11..].ToString();
        ReadOnlySpan<char> warned = Text.After(line, ", CPU#"); // 7.x: "WARNING: f.c:1 at f+0x1/0x2, CPU#1: name/12"
        if (Cpu is null && !warned.IsEmpty)
            Cpu = Text.Decimal(warned);
        ReadOnlySpan<char> stuck = Text.After(line, "soft lockup - CPU#");
        if (Cpu is null && !stuck.IsEmpty)
            Cpu = Text.Decimal(stuck);
        if (Cpu is null)
            Cpu = FrameText.Number(line, "hard LOCKUP on cpu ");
        ReadHung(line);
    }

    // "INFO: task NAME:PID blocked for more than"
    private void ReadHung(ReadOnlySpan<char> line)
    {
        ReadOnlySpan<char> task = Text.After(line, "INFO: task ");
        int end = task.IndexOf(" blocked ", StringComparison.Ordinal);
        if (end < 0)
            end = task.IndexOf(" can't die ", StringComparison.Ordinal);
        int colon = end < 0 ? -1 : task[..end].LastIndexOf(':');
        if (colon <= 0 || Pid is not null)
            return;
        Comm = task[..colon].ToString();
        Pid = Text.Decimal(task[(colon + 1)..]);
    }

    // "name Kdump: loaded Tainted: G        W  OE      6.1.0-56-amd64 #1 Debian"
    private void ReadComm(ReadOnlySpan<char> rest)
    {
        int end = rest.Length;
        foreach (string word in (ReadOnlySpan<string>)[" Kdump: loaded", " Tainted: ", " Not tainted"])
        {
            int at = rest.IndexOf(word, StringComparison.Ordinal);
            if (at >= 0 && at < end)
                end = at;
        }
        Comm ??= rest[..end].Trim(' ').ToString();
        ReadOnlySpan<char> version = Text.After(rest, " Not tainted ");
        ReadOnlySpan<char> taint = Text.After(rest, " Tainted: ");
        if (!taint.IsEmpty)
        {
            int digit = taint.IndexOfAnyInRange('0', '9');
            version = digit < 0 ? [] : taint[digit..];
            Taint = Letters(digit < 0 ? taint : taint[..digit]);
        }
        Release = version.IsEmpty ? null : Text.Word(version).ToString();
    }

    private static string Letters(ReadOnlySpan<char> taint)
    {
        Span<char> letters = stackalloc char[32];
        int count = 0;
        foreach (char c in taint)
        {
            if (char.IsAsciiLetterUpper(c) && c != 'G' && count < letters.Length)
                letters[count++] = c;
        }
        return letters[..count].ToString();
    }

    private void ReadCode(ReadOnlySpan<char> line)
    {
        if (!line.StartsWith("Code: "))
            return;
        _codeFailed |= line.Contains("Unable to access opcode bytes", StringComparison.Ordinal);
        if (Code is null && !_registersDone)
            Code = line[6..].ToString();
    }

    private void ReadPlace(ReadOnlySpan<char> line)
    {
        if (!FrameText.IsRegisters(line, out ReadOnlySpan<char> name))
            return;
        ReadOnlySpan<char> rest = line[(line.IndexOf(": ", StringComparison.Ordinal) is >= 0 and var colon ? colon + 2 : 0)..].TrimStart(' ');
        bool user = line.Contains("RIP: 0033:", StringComparison.Ordinal) || line.Contains("RIP: 0023:", StringComparison.Ordinal);
        if (user)
        {
            _registersDone = true; // what follows are the program's own
            return;
        }
        if (rest is [_, _, _, _, ':', ..])
            rest = rest[5..];
        if (!_placed)
            InstructionPointer = Text.TryHex(rest.TrimStart("[<"), out ulong address) && (rest.StartsWith("0x") || rest.StartsWith("[<")) ? address : null;
        _placed = true;
        if (name.IsEmpty)
            return;
        int at = line.IndexOf(name, StringComparison.Ordinal);
        if (FrameText.Place(line[at..], _traces.Section, out LogFrame place) && place.Name.Length > 0)
            _traces.AddPlace(place with { IsRegisters = true });
    }

    // "RAX: 0000000000000000 RBX: ..." and "x29: ffff... x28: ..."
    private void ReadRegisters(ReadOnlySpan<char> line)
    {
        if (line.Contains("CR2: ", StringComparison.Ordinal) && Text.TryHex(Text.After(line, "CR2: "), out ulong cr2))
        {
            if (line.StartsWith("CR2: ") && !line.Contains("CR3: ", StringComparison.Ordinal))
                _closingCr2 ??= cr2;
            else
                _innerCr2 ??= cr2;
        }
        if (_registersDone || line.Length < 8 || line[0] is ' ' or '[')
            return;
        while (_registers.Count < MostRegisters)
        {
            int colon = line.IndexOf(':');
            if (colon is <= 0 or > 6)
                return;
            ReadOnlySpan<char> name = line[..colon].Trim(' ');
            ReadOnlySpan<char> rest = line[(colon + 1)..].TrimStart(' ');
            if (name is "RSP" or "ESP" && rest is [_, _, _, _, ':', ..])
                rest = rest[5..];
            int digits = 0;
            while (digits < rest.Length && Text.IsHex(rest[digits]))
                digits++;
            if (digits is not (8 or 16) || !IsRegister(name) || !Text.TryHex(rest, out ulong value))
                return;
            string lower = name.ToString().ToLowerInvariant();
            if (_registers.Exists(r => r.Key == lower))
            {
                _registersDone = true; // a second set: another context's
                return;
            }
            _registers.Add(new(lower, value));
            line = rest[digits..].TrimStart(' ');
            if (line is ['(', ..])
                return;
        }
    }

    private static bool IsRegister(ReadOnlySpan<char> name) =>
        name.Length is 2 or 3 or 6 && (name[0] is 'R' or 'E' or 'x' || name is "sp" or "lr" or "EFLAGS")
        && !name.ContainsAnyExcept(RegisterLetters);
}
