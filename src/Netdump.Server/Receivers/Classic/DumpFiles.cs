using System.Net;
using Netdump.Server.Hooks;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Classic;

/// <summary>What a client told before its memory: all that is needed to make the files. Holds copies, so that any thread may use it.</summary>
/// <param name="Dump">Machine, page size, number of pages.</param>
/// <param name="RamPages">Pages of RAM the client named with its registers, 0 when it named none.</param>
/// <param name="Registers">Registers of the crashing context, in the client's byte order.</param>
/// <param name="HeaderArea">The client's own /proc/vmcore header, empty for old clients.</param>
/// <param name="Session">What the session file keeps, but for the layout.</param>
internal sealed record DumpDescription(
    VmcoreDescription Dump, uint RamPages, byte[] Registers, byte[] HeaderArea, SessionHeader Session);

/// <summary>The files of one dump, or why there are none. Made off the engine threads.</summary>
/// <param name="Vmcore">The file being received; null when no memory is to be taken.</param>
/// <param name="Session">The session file beside it.</param>
/// <param name="Header">What the session file says.</param>
/// <param name="NeededBytes">Disk space the dump can take in all.</param>
internal sealed record DumpFiles(VmcoreWriter? Vmcore, SessionFile? Session, SessionHeader? Header, long NeededBytes)
{
    private static readonly DumpFiles None = new(null, null, null, 0);

    /// <summary>
    /// Lays the file out, looks whether it fits (asking the hook netdump-nospace once for room), and makes the files.
    /// Reports to the log; never throws for what a client or the disk did.
    /// </summary>
    public static async Task<DumpFiles> CreateAsync(DumpDescription description, CrashDirectory directory, IPAddress address, ClassicContext context)
    {
        try
        {
            if (Lay(description, address, context) is not { } layout)
                return None;
            if (context.Options.Current.SpaceCheck && !await HasSpaceAsync(Needed(layout, description.RamPages), directory, address, context))
                return None;
            return Create(layout, description, directory);
        }
        catch (Exception error)
        {
            // Whatever it was, the session waits for an answer.
            Log.DumpIncomplete(context.Log, address, directory.Path, error.Message);
            return None;
        }
    }

    private static DumpFiles Create(VmcoreLayout layout, DumpDescription description, CrashDirectory directory)
    {
        VmcoreWriter vmcore = VmcoreWriter.Create(directory, layout);
        try
        {
            SessionHeader header = description.Session with { KernelHeader = layout.IsKernelHeader, HeaderBytes = layout.Header.Length };
            return new DumpFiles(vmcore, SessionFile.Create(directory, header), header, Needed(layout, description.RamPages));
        }
        catch
        {
            vmcore.Remove();
            throw;
        }
    }

    private static VmcoreLayout? Lay(DumpDescription description, IPAddress address, ClassicContext context)
    {
        VmcoreLayout? layout;
        string? reason;
        if (description.HeaderArea.Length != 0)
        {
            (layout, reason) = VmcoreKernelHeader.Create(description.HeaderArea, description.Dump.PageSize, description.Dump.PageCount);
            if (layout is not null)
                return layout;
            Log.HeaderRefused(context.Log, address, reason!);
        }

        (layout, reason) = VmcoreOriginalHeader.Create(description.Dump, description.Registers);
        if (layout is null)
            Log.CrashError(context.Log, address, $"no vmcore is made: {reason}");
        return layout;
    }

    /// <summary>
    /// Disk space the dump can take. An old client's file spans the whole address space, most of which may be holes; the RAM it
    /// named with its registers is the better bound.
    /// </summary>
    public static long Needed(VmcoreLayout layout, uint ramPages)
    {
        long pages = layout.PageBytes;
        if (!layout.IsKernelHeader && ramPages != 0)
            pages = Math.Min(pages, (long)ramPages * layout.PageSize);
        return layout.Header.Length + pages;
    }

    /// <summary>Runs the hook, but waits no longer than for its own time and as long for its turn: hooks of other hosts may hang.</summary>
    public static async Task RunNoSpaceAsync(IPAddress address, CrashDirectory directory, ClassicContext context)
    {
        TimeSpan limit = 2 * context.Options.Current.HookTimeout;
        try
        {
            await context.Hooks.RunAsync(HookName.NoSpace, address, directory.Path).WaitAsync(limit);
        }
        catch (TimeoutException)
        {
            Log.HookLate(context.Log, HookScripts.FileName(HookName.NoSpace), address, limit.TotalSeconds);
        }
    }

    private static async Task<bool> HasSpaceAsync(long needed, CrashDirectory directory, IPAddress address, ClassicContext context)
    {
        if (context.FreeSpace(directory.Path) >= needed)
            return true;
        await RunNoSpaceAsync(address, directory, context);
        long free = context.FreeSpace(directory.Path);
        if (free >= needed)
            return true;
        Log.NoSpace(context.Log, address, ByteText.Size(free), ByteText.Size(needed));
        return false;
    }
}
