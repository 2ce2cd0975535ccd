using System.Text.Json.Serialization;

namespace Netdump.Kernel.Report;

/// <summary>
/// All that an analysis of a dump says, in the words of docs/report.schema.json. A value that is null is not in the dump, or not known for this
/// kernel (<see cref="Quality"/> says which); addresses are text in hexadecimal, since JSON numbers end at 2^53.
/// </summary>
public sealed record CrashReport
{
    /// <summary>Version of this form; a change that breaks a reader raises it.</summary>
    public int Schema { get; init; } = 1;

    /// <summary>The program that made it, with its version.</summary>
    public required string Tool { get; init; }

    /// <summary>What happened, in sentences.</summary>
    public required ReportVerdict Verdict { get; init; }

    /// <summary>The crash's title, the same from its log and from its memory.</summary>
    public required string Title { get; init; }

    /// <summary>What crashes are grouped by.</summary>
    public required ReportSignature Signature { get; init; }

    /// <summary>The machine.</summary>
    public required ReportHost Host { get; init; }

    /// <summary>The kernel.</summary>
    public required ReportKernel Kernel { get; init; }

    /// <summary>When.</summary>
    public required ReportTime Time { get; init; }

    /// <summary>The CPU that crashed; null when none did, or it is not known.</summary>
    public int? Cpu { get; init; }

    /// <summary>The machine's processors.</summary>
    public required ReportProcessors Cpus { get; init; }

    /// <summary>The task that ran on the CPU that crashed: often innocent, see <see cref="Verdict"/>.</summary>
    public ReportPanicTask? PanicTask { get; init; }

    /// <summary>The panic or oops itself.</summary>
    public required ReportPanic Panic { get; init; }

    /// <summary>The memory fault behind it; null when it was none.</summary>
    public ReportFault? Fault { get; init; }

    /// <summary>Stack of the context that crashed, from the frame that is to blame outwards.</summary>
    public IReadOnlyList<ReportFrame> Stack { get; init; } = [];

    /// <summary>What else is wrong or worth knowing, the worst first.</summary>
    public IReadOnlyList<ReportFinding> Findings { get; init; } = [];

    /// <summary>What each CPU did.</summary>
    public IReadOnlyList<ReportProcessor> CpuList { get; init; } = [];

    /// <summary>Counts of tasks.</summary>
    public required ReportTaskSummary TaskSummary { get; init; }

    /// <summary>Every task with its stack.</summary>
    public IReadOnlyList<ReportTask> Tasks { get; init; } = [];

    /// <summary>Memory in bytes; null when the kernel's counters cannot be read.</summary>
    public ReportMemory? Memory { get; init; }

    /// <summary>Loaded modules.</summary>
    public IReadOnlyList<ReportModule> Modules { get; init; } = [];

    /// <summary>Mounted file systems.</summary>
    public IReadOnlyList<ReportMount> Mounts { get; init; } = [];

    /// <summary>Network devices.</summary>
    public IReadOnlyList<ReportDevice> Network { get; init; } = [];

    /// <summary>What the log says.</summary>
    public required ReportLog Log { get; init; }

    /// <summary>How far all this can be trusted.</summary>
    public required ReportQuality Quality { get; init; }

    /// <summary>What was announced of the crash and answered by the server; null when it came another way.</summary>
    public ReportUpload? Upload { get; init; }
}

/// <summary>How a crash came by the secure upload.</summary>
/// <param name="Host">Name the host is enrolled under.</param>
/// <param name="Wanted">How much of the dump the server wanted: <c>full</c>, <c>filtered</c> or <c>none</c>.</param>
/// <param name="DumpLevel">Which pages were to be left out.</param>
/// <param name="Reason">Why the server wanted less than the host meant to send, or none; null when it wanted just that.</param>
/// <param name="Title">The title that the host announced.</param>
/// <param name="Signature">The signature's id that the host announced.</param>
/// <param name="Program">The sender: name and version.</param>
public sealed record ReportUpload(string? Host, string? Wanted, int? DumpLevel, string? Reason, string? Title, string? Signature, string? Program);

/// <summary>The answer to "what happened".</summary>
/// <param name="Kind">Class of the crash: see docs/signature.md.</param>
/// <param name="Deliberate">Whether somebody asked for it.</param>
/// <param name="Text">Up to three sentences: what crashed, where and in whose context, and the likely class.</param>
/// <param name="Confidence"><c>certain</c>: read from memory or said by the kernel; <c>likely</c>: concluded, the text says from what.</param>
/// <param name="Culprit">Who is to blame, when that is not the task that panicked: a task, or a function.</param>
public sealed record ReportVerdict(string Kind, bool Deliberate, string Text, string Confidence, string? Culprit = null);

/// <summary>Signature, version 1 of docs/signature.md.</summary>
/// <param name="Version">Of the algorithm.</param>
/// <param name="Id">16 hexadecimal digits.</param>
/// <param name="Title">The crash's title.</param>
/// <param name="Frames">The frames it is made of, at most three.</param>
/// <param name="Key">The text the id is a digest of.</param>
/// <param name="Class">Class of the crash.</param>
/// <param name="Coarse">Class and first frame: crashes that share it are similar.</param>
public sealed record ReportSignature(int Version, string Id, string Title, IReadOnlyList<string> Frames, string Key, string Class, string Coarse);

/// <summary>The machine that crashed.</summary>
/// <param name="Name">Its host name.</param>
/// <param name="BootId">As /proc/sys/kernel/random/boot_id says, when anybody had asked.</param>
/// <param name="Hardware">Maker and product by DMI.</param>
/// <param name="Processor">Model of its processors.</param>
public sealed record ReportHost(string? Name, string? BootId, string? Hardware, string? Processor);

/// <summary>The kernel that crashed.</summary>
public sealed record ReportKernel
{
    /// <summary>As <c>uname -r</c> says.</summary>
    public string? Release { get; init; }

    /// <summary>As <c>uname -v</c> says.</summary>
    public string? Version { get; init; }

    /// <summary>As <c>uname -m</c> says.</summary>
    public string? Machine { get; init; }

    /// <summary>Build id of its vmlinux, in hexadecimal.</summary>
    public string? BuildId { get; init; }

    /// <summary>Its command line.</summary>
    public string? CommandLine { get; init; }

    /// <summary>Letters of its taint, without G.</summary>
    public IReadOnlyList<string> Taint { get; init; } = [];

    /// <summary>The same in words.</summary>
    public IReadOnlyList<string> TaintWords { get; init; } = [];

    /// <summary>How far KASLR moved it, in bytes.</summary>
    public long? KaslrOffset { get; init; }

    /// <summary>Memory kept for the capture kernel, in bytes.</summary>
    public long? CrashKernel { get; init; }
}

/// <summary>When it was.</summary>
/// <param name="Crash">The crash, UTC.</param>
/// <param name="Boot">The boot, UTC.</param>
/// <param name="UptimeS">Seconds between them.</param>
/// <param name="LoadAverage">Over 1, 5 and 15 minutes.</param>
public sealed record ReportTime(DateTimeOffset? Crash, DateTimeOffset? Boot, double? UptimeS, IReadOnlyList<double> LoadAverage);

/// <summary>The machine's processors.</summary>
/// <param name="Online">That ran.</param>
/// <param name="Possible">That could have.</param>
public sealed record ReportProcessors(int? Online, int? Possible);

/// <summary>The task on the CPU that crashed.</summary>
/// <param name="Pid">Its thread id.</param>
/// <param name="Tgid">Its process.</param>
/// <param name="Comm">Its name.</param>
/// <param name="Address">Of its task_struct.</param>
/// <param name="Syscall">The system call it was in; null for a kernel thread, or when it was in none.</param>
public sealed record ReportPanicTask(int Pid, int Tgid, string Comm, string Address, ReportSyscall? Syscall);

/// <summary>A system call.</summary>
/// <param name="Nr">Its number.</param>
/// <param name="Name">Its name, by the kernel's table of calls.</param>
/// <param name="Args">Its arguments, in hexadecimal.</param>
/// <param name="File">Path of the file it works on, where the first argument is a descriptor.</param>
public sealed record ReportSyscall(int Nr, string? Name, IReadOnlyList<string> Args, string? File);

/// <summary>The panic or oops.</summary>
public sealed record ReportPanic
{
    /// <summary>What the kernel said: the line of the log that names the cause.</summary>
    public string? Text { get; init; }

    /// <summary>The line that ended it, <c>Kernel panic - not syncing: …</c>; null when an oops went to the capture kernel at once.</summary>
    public string? PanicText { get; init; }

    /// <summary>The CPU.</summary>
    public int? Cpu { get; init; }

    /// <summary>Instruction the fault was at, as symbol and offset.</summary>
    public string? Where { get; init; }

    /// <summary>Registers at the fault by their names, in hexadecimal.</summary>
    public IReadOnlyDictionary<string, string>? Registers { get; init; }

    /// <summary>The instructions around it; empty where no disassembler is at hand.</summary>
    public IReadOnlyList<string> Code { get; init; } = [];

    /// <summary>The stack from its innermost frame, the way of the panic itself included.</summary>
    public IReadOnlyList<ReportFrame> Stack { get; init; } = [];

    /// <summary>Where all this was read: <c>memory</c> or <c>log</c>.</summary>
    public string Source { get; init; } = "memory";
}

/// <summary>A memory fault.</summary>
/// <param name="Address">The address that could not be used.</param>
/// <param name="Access"><c>read</c>, <c>write</c>, <c>execute</c>; null when not known.</param>
/// <param name="Meaning">What the address is, in words.</param>
public sealed record ReportFault(string? Address, string? Access, string Meaning);

/// <summary>A frame of a stack.</summary>
/// <param name="Pc">Program counter, in hexadecimal; null for a frame out of the log.</param>
/// <param name="Symbol">Function; null when no symbol is known, or it lies in a program.</param>
/// <param name="Offset">Bytes into it.</param>
/// <param name="Module">The module it lies in; null for the kernel itself.</param>
/// <param name="Reliable">False for a frame that was found by searching the stack.</param>
/// <param name="Trust">How it was found: <c>orc</c>, <c>frame-pointer</c>, <c>registers</c>, <c>recovered</c>, <c>scan</c>, <c>user</c>.</param>
public sealed record ReportFrame(string? Pc, string? Symbol, long? Offset, string? Module, bool Reliable, string Trust);

/// <summary>Something a reader of the dump should know.</summary>
/// <param name="Id">Stable name: see docs/report.md.</param>
/// <param name="Severity"><c>critical</c>, <c>warning</c> or <c>note</c>.</param>
/// <param name="Text">A sentence.</param>
/// <param name="Evidence">What it was concluded from: addresses, values, lines of the log.</param>
/// <param name="More">The command that shows more.</param>
public sealed record ReportFinding(string Id, string Severity, string Text, IReadOnlyDictionary<string, string> Evidence, string? More);

/// <summary>What a CPU did.</summary>
/// <param name="Cpu">Its number.</param>
/// <param name="State"><c>crash</c>, <c>idle</c>, <c>kernel</c>, <c>user</c> or <c>unknown</c>.</param>
/// <param name="Pid">Of the task on it.</param>
/// <param name="Comm">Its name.</param>
/// <param name="OnCpuS">Seconds since it got the CPU.</param>
/// <param name="Queued">Tasks that want it, the running one included.</param>
/// <param name="Where">Innermost function, when it was in the kernel.</param>
public sealed record ReportProcessor(int Cpu, string State, int? Pid, string? Comm, double? OnCpuS, int? Queued, string? Where);

/// <summary>Counts of tasks.</summary>
/// <param name="Total">All, idle tasks included.</param>
/// <param name="Expected">By the kernel's own count; null when it cannot be read.</param>
/// <param name="ByState">By the letter that ps shows.</param>
/// <param name="DGroups">Tasks in uninterruptible sleep, those with one stack together.</param>
public sealed record ReportTaskSummary(int Total, int? Expected, IReadOnlyDictionary<string, int> ByState, IReadOnlyList<ReportTaskGroup> DGroups);

/// <summary>Tasks that sleep at one place.</summary>
/// <param name="Count">How many.</param>
/// <param name="OldestS">Seconds since the one that sleeps longest last ran.</param>
/// <param name="Oldest">Its name and PID.</param>
/// <param name="WaitsFor">In words.</param>
/// <param name="Stack">Their functions, innermost first.</param>
public sealed record ReportTaskGroup(int Count, double? OldestS, string Oldest, string? WaitsFor, IReadOnlyList<string> Stack);

/// <summary>A task.</summary>
public sealed record ReportTask
{
    /// <summary>Thread id.</summary>
    public required int Pid { get; init; }

    /// <summary>Its process.</summary>
    public required int Tgid { get; init; }

    /// <summary>Parent process.</summary>
    public required int Ppid { get; init; }

    /// <summary>Name.</summary>
    public required string Comm { get; init; }

    /// <summary>The letter that ps shows.</summary>
    public required string State { get; init; }

    /// <summary>Address of its task_struct.</summary>
    public required string Address { get; init; }

    /// <summary>CPU it is on, or was last.</summary>
    public int? Cpu { get; init; }

    /// <summary>Whether it was on a CPU.</summary>
    public bool OnCpu { get; init; }

    /// <summary>task_struct.flags.</summary>
    public string? Flags { get; init; }

    /// <summary>Seconds since it last got a CPU.</summary>
    public double? LastRunS { get; init; }

    /// <summary>What it waits for, where that is known.</summary>
    public string? WaitsFor { get; init; }

    /// <summary>Its kernel stack, innermost first; empty for tasks without one and for those in user mode.</summary>
    public IReadOnlyList<ReportFrame> Stack { get; init; } = [];

    /// <summary>Why the stack ends early, or is not there.</summary>
    public string? StackEnd { get; init; }
}

/// <summary>Memory in bytes. The kernel's counters lag by up to a few hundred pages a CPU.</summary>
public sealed record ReportMemory
{
    /// <summary>What the kernel managed.</summary>
    public long? Total { get; init; }

    /// <summary>Free.</summary>
    public long? Free { get; init; }

    /// <summary>Slab.</summary>
    public long? Slab { get; init; }

    /// <summary>Page cache.</summary>
    public long? Cached { get; init; }

    /// <summary>Anonymous pages of processes.</summary>
    public long? Anonymous { get; init; }

    /// <summary>Shared memory and tmpfs.</summary>
    public long? Shared { get; init; }

    /// <summary>Huge pages set aside.</summary>
    public long? Huge { get; init; }

    /// <summary>Processes that hold most.</summary>
    public IReadOnlyList<ReportProcess> Largest { get; init; } = [];
}

/// <summary>A process by its memory.</summary>
/// <param name="Pid">Process.</param>
/// <param name="Comm">Name.</param>
/// <param name="Rss">Bytes of it in memory.</param>
public sealed record ReportProcess(int Pid, string Comm, long Rss);

/// <summary>A module.</summary>
/// <param name="Name">Name.</param>
/// <param name="Address">Where its code begins.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Taint">Its taint letters.</param>
/// <param name="Version">As its author says.</param>
/// <param name="Srcversion">Digest of its source.</param>
public sealed record ReportModule(string Name, string Address, long Size, string Taint, string? Version, string? Srcversion);

/// <summary>A mounted file system.</summary>
/// <param name="Path">Where.</param>
/// <param name="Type">Its kind.</param>
/// <param name="Device">What.</param>
/// <param name="Frozen">Whether it was frozen.</param>
public sealed record ReportMount(string Path, string Type, string Device, bool Frozen);

/// <summary>A network device.</summary>
/// <param name="Name">Name.</param>
/// <param name="Up">Whether it was up.</param>
/// <param name="Addresses">IP addresses.</param>
public sealed record ReportDevice(string Name, bool Up, IReadOnlyList<string> Addresses);

/// <summary>What the log says.</summary>
/// <param name="Lines">Lines it has.</param>
/// <param name="FirstIncident">Seconds after boot at which the trouble began.</param>
/// <param name="Incidents">All incidents in it, in order.</param>
/// <param name="Tail">The last lines before the crash and those of the crash.</param>
public sealed record ReportLog(int Lines, double? FirstIncident, IReadOnlyList<ReportIncident> Incidents, IReadOnlyList<string> Tail);

/// <summary>An incident the kernel reported.</summary>
/// <param name="Kind">Class of it.</param>
/// <param name="Title">Its title.</param>
/// <param name="Seconds">After boot; null when the log has no times.</param>
/// <param name="Line">Number of the line in the log, from 1.</param>
public sealed record ReportIncident(string Kind, string Title, double? Seconds, int Line);

/// <summary>How far the report can be trusted.</summary>
public sealed record ReportQuality
{
    /// <summary>Whether the dump is whole.</summary>
    public required bool Complete { get; init; }

    /// <summary>Percent of the dump that is there; null when it is whole.</summary>
    public int? Percent { get; init; }

    /// <summary>Level it was filtered at.</summary>
    public int? Level { get; init; }

    /// <summary>Pages it holds.</summary>
    public long Pages { get; init; }

    /// <summary>How stacks were read: <c>orc</c>, <c>frame-pointer</c>, <c>scan</c> or <c>none</c>.</summary>
    public required string Unwinder { get; init; }

    /// <summary>Seconds the analysis took.</summary>
    [JsonPropertyName("seconds")]
    public double Seconds { get; init; }

    /// <summary>What could not be read, and why.</summary>
    public IReadOnlyList<ReportGap> Missing { get; init; } = [];
}

/// <summary>Something that could not be read.</summary>
/// <param name="What">The thing.</param>
/// <param name="Why">The reason.</param>
public sealed record ReportGap(string What, string Why);
