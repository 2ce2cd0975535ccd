using System.Diagnostics;
using Netdump.Server.Options;
using Netdump.Server.Store;

namespace Netdump.Server.Triage;

/// <summary>
/// Has every finished dump analysed: by the program <c>netdump</c> as a child that confines itself, since a dump is hostile input. What kills
/// the child costs one line of the log. Few run at once, the others wait; a dump that an earlier process left without a report is made up for.
/// Thread-safe.
/// </summary>
public sealed class AnalysisQueue : IDisposable
{
    /// <summary>What the child is asked for; it knows the rest.</summary>
    public const string ChildCommand = "analyse";

    /// <summary>The report a crash's directory has once its dump was analysed.</summary>
    public const string ReportName = "report.json";

    // A hundred thousand tasks need about this much.
    private const string HeapLimit = "20000000"; // hexadecimal, 512 MiB; with 0x before it the runtime does not read it
    private const int LongestLine = 400;

    private readonly string? _program;
    private readonly LiveOptions _options;
    private readonly ILogger _log;
    private readonly SemaphoreSlim _places;
    private readonly CancellationTokenSource _stop = new();
    private readonly BackgroundWork _work;

    /// <summary>The queue of a server.</summary>
    /// <param name="options">The settings; the program is looked for at once.</param>
    /// <param name="work">Counts what runs, so that the server can wait for it.</param>
    /// <param name="log">The server's log.</param>
    public AnalysisQueue(LiveOptions options, BackgroundWork work, ILogger log)
    {
        _options = options;
        _work = work;
        _log = log;
        _places = new SemaphoreSlim(options.Current.Analyses);
        _program = FindProgram(options.Current.Analyser);
    }

    /// <summary>Told of each crash that was analysed.</summary>
    public event Action<CrashDirectory>? Done;

    /// <summary>Whether dumps are analysed.</summary>
    public bool IsOn => _program is not null;

    /// <summary>Analyses what a crash's directory holds; the task ends when that is done, and never fails.</summary>
    public Task Add(CrashDirectory directory) => _program is null ? Task.CompletedTask : _work.Run(() => AnalyseAsync(_program, directory));

    /// <summary>
    /// Once the server runs: analyses the crashes of a store that ended without a report, since the process was ended meanwhile, or there was no
    /// program; without one now, says so.
    /// </summary>
    public void Resume(CrashStore store)
    {
        if (_program is not null)
            _ = _work.Run(() => ResumeAsync(store));
        else if (_options.Current.Analyser != "none")
            Log.NoAnalyser(_log, _options.Current.Analyser ?? "netdump");
    }

    /// <summary>Begins nothing more, and kills what runs: the next process makes up for it.</summary>
    public void Dispose() => _stop.Cancel();

    private async Task ResumeAsync(CrashStore store)
    {
        try
        {
            foreach (CrashDirectory directory in store.WithDump().Concat(store.WithUpload()).DistinctBy(d => d.Name))
                if (!File.Exists(directory.File(ReportName)) && IsOver(directory) && !_stop.IsCancellationRequested)
                    await AnalyseAsync(_program!, directory);
        }
        catch (Exception error)
        {
            Log.AnalysesNotResumed(_log, error.Message);
        }
    }

    // Its session is gone when its log was closed, or says that nobody is asked any more; an upload says it itself.
    private static bool IsOver(CrashDirectory directory)
    {
        try
        {
            if (UploadRecord.Read(directory) is { } upload)
                return upload.Ended is not null || upload.IsResting;
        }
        catch (InvalidDataException)
        {
            return false; // nobody of ours wrote it
        }

        string session = directory.File(SessionFile.FileName);
        return !File.Exists(session) || SessionFile.ReadHeader(session).State == SessionState.Ended;
    }

    private async Task AnalyseAsync(string program, CrashDirectory directory)
    {
        try
        {
            // A crash that was announced has a report without a dump too: of its log.
            if (!File.Exists(directory.File(VmcoreWriter.CompleteName)) && !File.Exists(directory.File(VmcoreWriter.IncompleteName))
                && !File.Exists(directory.File(UploadRecord.FileName)))
                return;
            await _places.WaitAsync(_stop.Token);
            try
            {
                await RunAsync(program, directory);
            }
            finally
            {
                _places.Release();
            }
        }
        catch (OperationCanceledException)
        {
            // The server ends.
        }
        catch (Exception error)
        {
            Log.AnalysisFailed(_log, directory.Path, error.Message);
        }
    }

    private async Task RunAsync(string program, CrashDirectory directory)
    {
        ProcessStartInfo start = new(program)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = directory.Path,
        };
        start.ArgumentList.Add(ChildCommand);
        start.ArgumentList.Add(directory.Path);
        start.Environment.Clear();
        start.Environment["DOTNET_GCHeapHardLimit"] = HeapLimit;

        TimeSpan limit = _options.Current.AnalysisTimeout;
        long began = Stopwatch.GetTimestamp();
        using Process child = Process.Start(start)!;
        child.StandardInput.Close();
        using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        timeout.CancelAfter(limit);
        Task<string> said = ReadLineAsync(child.StandardOutput);
        Task<string> complained = ReadLineAsync(child.StandardError);
        try
        {
            await child.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            child.Kill();
            await child.WaitForExitAsync(CancellationToken.None);
            if (!_stop.IsCancellationRequested)
                Log.AnalysisFailed(_log, directory.Path, $"not done after {limit.TotalSeconds} s");
            return;
        }

        string complaint = await complained;
        if (child.ExitCode != 0)
            Log.AnalysisFailed(_log, directory.Path, complaint.Length != 0 ? complaint : $"the analysis ended with status {child.ExitCode}");
        else
            Finish(directory, await said, Stopwatch.GetElapsedTime(began));
    }

    private void Finish(CrashDirectory directory, string said, TimeSpan took)
    {
        Log.Analysed(_log, directory.Path, said, took.TotalSeconds);
        Done?.Invoke(directory);
    }

    // The last line, without what a terminal would obey: the text comes out of the dump.
    private static async Task<string> ReadLineAsync(StreamReader reader)
    {
        var line = "";
        var buffer = new char[LongestLine];
        for (int count; (count = await reader.ReadAsync(buffer)) > 0;)
            line = string.Concat(line.AsSpan(Math.Max(0, line.Length - LongestLine)), buffer.AsSpan(0, count));
        line = line.TrimEnd();
        line = line[(line.LastIndexOf('\n') + 1)..];
        if (line.Length > LongestLine)
            line = line[..LongestLine];
        return string.Concat(line.Select(c => char.IsControl(c) ? '?' : c));
    }

    private static string? FindProgram(string? setting)
    {
        if (setting == "none")
            return null;
        if (setting is not null)
            return File.Exists(setting) ? Path.GetFullPath(setting) : null;
        // Beside the server as packages install it, as `make build` publishes it, and in the search path.
        string here = AppContext.BaseDirectory;
        IEnumerable<string> places = [here, Path.Combine(here, "..", "client"), .. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')];
        return places.Where(p => p.Length != 0).Select(p => Path.GetFullPath(Path.Combine(p, "netdump"))).FirstOrDefault(File.Exists);
    }
}
