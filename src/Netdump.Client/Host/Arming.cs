using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Netdump.Client.Image;
using Netdump.Client.Linux;
using Netdump.Client.Trust;

namespace Netdump.Client.Host;

/// <summary>Arms and disarms the host. What is begun stands in <see cref="ArmedState"/> before it happens, so that <see cref="Stop"/> can undo it.</summary>
public sealed class Arming(HostFiles host, CrashKernelLoader loader, TimeProvider time, Action<string> say)
{
    /// <summary>Carries a plan out: crash kernel, triggers, netconsole.</summary>
    /// <exception cref="ClientException">
    /// A step failed, and everything was undone; what an earlier start armed stays armed only when the kernel did not touch it.
    /// </exception>
    /// <exception cref="IOException">A file that is needed cannot be read; the same holds.</exception>
    public ArmedState Start(ArmingPlan plan)
    {
        ArmedState? before = ArmedState.Read(host);
        long packed = 0, unpacked = 0;
        using SafeFileHandle? image = plan.CrashKernel is { } crash ? Build(crash, plan, out packed, out unpacked) : null;
        var state = new ArmedState
        {
            BootId = plan.BootId,
            ArmedAt = time.GetUtcNow(),
            CrashKernel = image is not null || before is { CrashKernel: true },
            Kernel = plan.CrashKernel?.Kernel,
            Release = plan.CrashKernel?.Image.Manifest.KernelRelease,
            ImageBytes = packed,
            UnpackedBytes = unpacked,
            SettingsBefore = before?.SettingsBefore ?? new Dictionary<string, string>(),
            Triggers = Triggers.Text(plan.Triggers),
            TriggersByOption = plan.TriggersByOption,
            Image = plan.Fingerprint,
            ConsoleTargets = [.. (before?.ConsoleTargets ?? []).Union(plan.Consoles.Select(c => c.Name))],
            Directory = plan.Directory,
            Configuration = plan.Configuration.Source,
        };
        if (image is not null) new HostChecks(host).Reservation(state).OrThrow();
        state.Save(host);
        ReplaceCrashKernel(plan.CrashKernel, image, before, state);
        try
        {
            state = SetTriggers(state with { CrashKernel = image is not null }, image is not null ? plan.Triggers : TriggerSet.None);
            state = StartConsoles(plan, state);
            state.Save(host);
            return state;
        }
        catch (Exception e) when (IsFailure(e))
        {
            TakeBack(ArmedState.Read(host) ?? state); // as it was kept before the step that failed
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
    private SafeFileHandle Build(CrashKernel crash, ArmingPlan plan, out long packed, out long unpacked)
    {
        long start = time.GetTimestamp();
        CaptureImage content = plan.Transport is { HasMagic: true } ? crash.Image with { Manifest = crash.Image.Manifest with { Magic = Magic.OfThisBoot(host, plan.BootId) } } : crash.Image;
        using CaptureIdentity? identity = plan.Transport is { IsSecure: true } ? MakeIdentity(plan.BootId) : null;
        SafeFileHandle image = MemoryFile.Create("netdump-capture");
        using (var stream = new FileStream(new SafeFileHandle(image.DangerousGetHandle(), ownsHandle: false), FileAccess.Write, bufferSize: 1 << 16))
        {
            unpacked = content.Write(stream, identity);
            stream.Flush();
            packed = stream.Length;
        }
        TimeSpan took = time.GetElapsedTime(start);
        say(string.Create(CultureInfo.InvariantCulture,
            $"capture image: {packed / 1048576.0:F1} MiB ({unpacked / 1048576.0:F1} MiB unpacked), {crash.Image.Drivers.Modules.Count} modules, {crash.Image.Drivers.Firmware.Count} firmware files, built in {took.TotalSeconds:F1} s"));
        return MemoryFile.Seal(image);
    }

    /// <summary>A key for this arming alone, certified by the host's own, which is read, used and wiped here.</summary>
    private CaptureIdentity MakeIdentity(string bootId)
    {
        using ECDsa key = HostKey.Open(host);
        return CaptureIdentity.Make(key, Guid.TryParse(bootId, out Guid boot) ? boot : throw new ClientException($"boot_id '{bootId}' is no UUID"));
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
        Try(() => SetTriggers(state, TriggerSet.None));
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

    /// <summary>Sets the kernel's settings of the triggers, and puts back those that an earlier start set and that are not wanted any more.</summary>
    private ArmedState SetTriggers(ArmedState state, TriggerSet wanted)
    {
        string[] settings = [.. Triggers.Settings(host, wanted)];
        var set = new List<string>();
        string at = "";
        try
        {
            foreach (string setting in settings)
            {
                at = Triggers.PathOf(setting);
                if (host.Read(at) != "0") continue; // hung_task_panic may be a number above 1
                state = state with { SettingsBefore = new Dictionary<string, string>(state.SettingsBefore) { [setting] = state.SettingsBefore.GetValueOrDefault(setting, "0") } };
                state.Save(host);
                host.Write(at, "1\n");
                set.Add($"kernel.{setting}=1");
            }
            foreach ((string setting, string before) in state.SettingsBefore.Where(p => !settings.Contains(p.Key)).ToArray())
            {
                at = Triggers.PathOf(setting);
                if (host.Read(at) != before) host.Write(at, before + "\n");
                state = state with { SettingsBefore = state.SettingsBefore.Where(p => p.Key != setting).ToDictionary() };
            }
        }
        catch (LinuxException e)
        {
            throw new ClientException($"cannot write {at}: {Errno.Text(e.Error)}", wanted != TriggerSet.None ? $"set TRIGGERS= to those that can be ({Triggers.Words})" : null, e);
        }
        if (set.Count > 0) say($"{string.Join(", ", set)} (was 0): each is a crash now, and is dumped");
        return state;
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
