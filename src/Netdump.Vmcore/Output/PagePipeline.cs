using System.Runtime.ExceptionServices;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Output;

/// <summary>
/// Works on jobs with several threads and hands them on in the order they came. The caller's thread fills jobs and writes them, and works
/// like the others when it would have to wait: as many threads as processors keep all of them busy, and hardly ever have to wake each other.
/// A fixed number of jobs goes round, so a slow output holds everything back and memory stays bounded.
/// </summary>
internal sealed class PagePipeline : IDisposable
{
    private readonly Action<PageJob> _write;
    private readonly PageJob[] _ring;
    private readonly PageWorker[] _workers;
    private readonly Thread[] _threads;
    private readonly object _lock = new();
    private long _filled;
    private long _taken;
    private long _written;
    private bool _isOver;

    /// <summary>Starts the threads: one less than wanted, for the caller's counts.</summary>
    /// <param name="memory">Where pages come from.</param>
    /// <param name="options">Codec and threads.</param>
    /// <param name="write">Is called for each job in order, on the caller's thread.</param>
    public PagePipeline(PhysicalMemory memory, WriteOptions options, Action<PageJob> write)
    {
        _write = write;
        var threads = Math.Clamp(options.Threads, 1, MostThreads);
        _workers = new PageWorker[threads];
        for (var i = 0; i < threads; i++)
            _workers[i] = new PageWorker(memory, options);
        _ring = new PageJob[threads == 1 ? 1 : JobsOfThread * threads];
        for (var i = 0; i < _ring.Length; i++)
            _ring[i] = new PageJob(memory.PageSize);
        _threads = new Thread[threads - 1];
        for (var i = 0; i < _threads.Length; i++)
        {
            var worker = _workers[i + 1];
            _threads[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = "compress" };
            _threads[i].Start();
        }
    }

    // While the caller works on one, the others must not run out of them.
    private const int JobsOfThread = 3;

    /// <summary>More threads than this gain nothing that one writer could take.</summary>
    public const int MostThreads = 32;

    /// <summary>An empty job to be filled and submitted; waits until there is one.</summary>
    public PageJob Rent()
    {
        while (_filled - _written == _ring.Length)
            WriteNext();
        var job = _ring[_filled % _ring.Length];
        job.Count = 0;
        job.DataLength = 0;
        job.IsDone = false;
        return job;
    }

    /// <summary>Takes the job that was rented.</summary>
    public void Submit(PageJob job)
    {
        if (_threads.Length == 0)
        {
            _workers[0].Process(job);
            _write(job);
            return;
        }
        lock (_lock)
        {
            _filled++;
            Monitor.PulseAll(_lock);
        }
    }

    /// <summary>Waits for all jobs and writes them.</summary>
    public void Drain()
    {
        while (_written < _filled)
            WriteNext();
    }

    /// <summary>Ends the threads, whatever they are at.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _isOver = true;
            Monitor.PulseAll(_lock);
        }
        foreach (var thread in _threads)
            thread.Join();
        foreach (var worker in _workers)
            worker.Dispose();
    }

    private void WriteNext()
    {
        var job = _ring[_written % _ring.Length];
        while (TakeUnless(job) is { } other)
            Process(_workers[0], other);
        job.Failure?.Throw();
        _write(job);
        _written++;
    }

    // A job for the caller to work on meanwhile; null as soon as the one it waits for is done.
    private PageJob? TakeUnless(PageJob awaited)
    {
        lock (_lock)
        {
            while (!awaited.IsDone)
            {
                if (_taken < _filled)
                    return _ring[_taken++ % _ring.Length];
                Monitor.Wait(_lock);
            }
            return null;
        }
    }

    private void Work(PageWorker worker)
    {
        while (true)
        {
            PageJob job;
            lock (_lock)
            {
                while (_taken == _filled && !_isOver)
                    Monitor.Wait(_lock);
                if (_isOver)
                    return;
                job = _ring[_taken++ % _ring.Length];
            }
            Process(worker, job);
        }
    }

    private void Process(PageWorker worker, PageJob job)
    {
        try
        {
            worker.Process(job);
        }
        catch (Exception failure)
        {
            // Thrown again where the job is written: a thread of ours must not end the process.
            job.Failure = ExceptionDispatchInfo.Capture(failure);
        }
        lock (_lock)
        {
            job.IsDone = true;
            Monitor.PulseAll(_lock);
        }
    }
}
