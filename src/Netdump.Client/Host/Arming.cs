using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>Arms and disarms the host. What is begun stands in <see cref="ArmedState"/> before it happens, so that <see cref="Stop"/> can undo it.</summary>
public sealed class Arming(HostFiles host, CrashKernelLoader loader, TimeProvider time, Action<string> say)
{
    private const string PanicOnOops = "/proc/sys/kernel/panic_on_oops";

    /// <summary>Carries a plan out: crash kernel, panic_on_oops, netconsole.</summary>
    /// <exception cref="ClientException">
    /// A step failed, and everything was undone; what an earlier start armed stays armed only when the kernel did not touch it.
    /// </exception>
    /// <exception cref="IOException">A file that is needed cannot be read; the same holds.</exception>
    public ArmedState Start(ArmingPlan plan)
    {
        ArmedState? before = ArmedState.Read(host);
        long packed = 0, unpacked = 0;
        using SafeFileHandle? image = plan.CrashKernel is { } crash ? Build(crash, out packed, out unpacked) : null;
        var state = new ArmedState
        {
            BootId = plan.BootId,
            ArmedAt = time.GetUtcNow(),
            CrashKernel = image is not null || before is { CrashKernel: true },
            Kernel = plan.CrashKernel?.Kernel,
            Release = plan.CrashKernel?.Image.Manifest.KernelRelease,
            ImageBytes = packed,
            UnpackedBytes = unpacked,
            PanicOnOopsBefore = before?.PanicOnOopsBefore,
            ConsoleTargets = [.. (before?.ConsoleTargets ?? []).Union(plan.Consoles.Select(c => c.Name))],
            Configuration = plan.Configuration.Source,
            ConfigurationTime = plan.Configuration.Source is { } file ? new DateTimeOffset(File.GetLastWriteTimeUtc(host.Map(file))) : null,
        };
        state.Save(host);
        ReplaceCrashKernel(plan.CrashKernel, image, before, state);
        try
        {
            state = SetPanicOnOops(state with { CrashKernel = image is not null }, image is not null && plan.Configuration.PanicOnOops);
            state = StartConsoles(plan, state);
            state.Save(host);
            return state;
        }
        catch (Exception e) when (IsFailure(e))
        {
            TakeBack(state);
            throw;
        }
    }

    /// <summary>Undoes what <see cref="Start"/> did. Nothing happens when nothing was armed.</summary>
    /// <exception cref="ClientException">The kernel refused a part; the others are undone.</exception>
    public void Stop()
    {
        ArmedState? state = ArmedState.Read(host);
        if (state is null)
        {
            if (IsLoaded) throw new ClientException("a crash kernel is loaded, but not by netdump", "stop the service that loaded it (kdump, kdump-tools)");
            say("not armed: nothing to stop");
            return;
        }
        if (Undo(state) is { } failure) throw new ClientException(failure.Message, "put that right and run netdump stop again", failure);
        if (state.ConsoleTargets.Count > 0) say("console lines are no longer sent");
        if (state.CrashKernel) say("the crash kernel is unloaded");
    }

    private bool IsLoaded => new HostChecks(host).CrashKernelLoaded;

    private static bool IsFailure(Exception e) => e is ClientException or IOException or UnauthorizedAccessException;

    /// <summary>Builds the image in memory; changes nothing.</summary>
    private SafeFileHandle Build(CrashKernel crash, out long packed, out long unpacked)
    {
        long start = time.GetTimestamp();
        SafeFileHandle image = MemoryFile.Create("netdump-capture");
        using (var stream = new FileStream(new SafeFileHandle(image.DangerousGetHandle(), ownsHandle: false), FileAccess.Write, bufferSize: 1 << 16))
        {
            unpacked = crash.Image.Write(stream);
            stream.Flush();
            packed = stream.Length;
        }
        TimeSpan took = time.GetElapsedTime(start);
        say(string.Create(CultureInfo.InvariantCulture,
            $"capture image: {packed / 1048576.0:F1} MiB ({unpacked / 1048576.0:F1} MiB unpacked), {crash.Image.Drivers.Modules.Count} modules, {crash.Image.Drivers.Firmware.Count} firmware files, built in {took.TotalSeconds:F1} s"));
        return MemoryFile.Seal(image);
    }

    /// <summary>Loads the crash kernel of the plan, or unloads ours when there is none in it.</summary>
    private void ReplaceCrashKernel(CrashKernel? crash, SafeFileHandle? image, ArmedState? before, ArmedState state)
    {
        bool wasLoaded = IsLoaded;
        try
        {
            if (image is not null) loader.Load(crash!, image);
            else if (before is { CrashKernel: true }) loader.Unload();
        }
        catch (Exception e) when (IsFailure(e))
        {
            bool lost = wasLoaded && !IsLoaded;
            if (before is not null && !lost) before.Save(host);
            else TakeBack(state with { CrashKernel = false }); // what is loaded, if anything, is not ours
            throw lost ? new ClientException($"{e.Message}; the crash kernel that was loaded before is gone: this host is NOT ARMED", inner: e) : e;
        }
    }

    /// <summary>Undoes a start that failed half-way.</summary>
    private void TakeBack(ArmedState state)
    {
        if (Undo(state) is { } failure) say(new Check(CheckLevel.Warn, "undo", failure.Message, "put that right and run netdump stop").ToString());
    }

    /// <summary>Undoes all it can. The state stays when something could not be undone, for another try; gives the first reason.</summary>
    private Exception? Undo(ArmedState state)
    {
        Exception? failure = null;
        foreach (string target in state.ConsoleTargets) Try(new NetConsoleTarget(host, target).Remove);
        if (state.CrashKernel) Try(loader.Unload);
        Try(() => SetPanicOnOops(state, wanted: false));
        if (failure is null) ArmedState.Remove(host);
        return failure;

        void Try(Action undo)
        {
            try
            {
                undo();
            }
            catch (Exception e) when (IsFailure(e))
            {
                failure ??= e;
            }
        }
    }

    /// <summary>Sets panic_on_oops, or puts back what it was.</summary>
    private ArmedState SetPanicOnOops(ArmedState state, bool wanted)
    {
        string? now = host.Read(PanicOnOops);
        try
        {
            if (wanted && now == "0")
            {
                state = state with { PanicOnOopsBefore = now };
                state.Save(host);
                host.Write(PanicOnOops, "1\n");
                say("kernel.panic_on_oops=1 (was 0): an oops is a crash, and is dumped");
            }
            else if (!wanted && state.PanicOnOopsBefore is { } before)
            {
                if (now != before) host.Write(PanicOnOops, before + "\n");
                state = state with { PanicOnOopsBefore = null };
            }
            return state;
        }
        catch (LinuxException e)
        {
            throw new ClientException($"cannot write {PanicOnOops}: {Errno.Text(e.Error)}", wanted ? "set PANIC_ON_OOPS=no to start without it" : null, e);
        }
    }

    /// <summary>Starts the targets of the plan and removes those of an earlier start. A target that fails is a warning when a dump is armed.</summary>
    private ArmedState StartConsoles(ArmingPlan plan, ArmedState state)
    {
        foreach (string name in state.ConsoleTargets)
        {
            var target = new NetConsoleTarget(host, name);
            try
            {
                if (plan.Consoles.FirstOrDefault(c => c.Name == name)?.Settings is not { } settings)
                {
                    target.Remove();
                    continue;
                }
                NetConsoleModule.Prepare(host, plan.Modules);
                target.Start(settings);
                say($"console lines go from {settings.Device} {settings.Local} to {settings.Remote}:{settings.RemotePort} ({settings.Mac})");
            }
            catch (ClientException e) when (plan.CrashKernel is not null)
            {
                say(new Check(CheckLevel.Warn, "console", e.Fact, e.Advice).ToString());
            }
        }
        state = state with { ConsoleTargets = [.. state.ConsoleTargets.Where(t => new NetConsoleTarget(host, t).Exists)] };
        if (state.ConsoleTargets.Count > 0 && new Consoles(host).PanicLines() is { } note) say(note.ToString());
        return state;
    }
}
