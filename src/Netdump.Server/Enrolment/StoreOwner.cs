using System.Runtime.InteropServices;
using Netdump.Server.Store;

namespace Netdump.Server.Enrolment;

/// <summary>
/// Root works in a store as the user who owns it: what it makes there is that user's, as the server and sshd need it, and no trick with names in the
/// store reaches what only root may touch.
/// </summary>
internal static partial class StoreOwner
{
    /// <summary>
    /// Becomes the owner of a store, for good, when this process is root's and the store is somebody else's. Throws <see cref="StoreException"/>.
    /// </summary>
    public static void Become(CrashStore store)
    {
        if (EffectiveUser() != 0 || !Directory.Exists(store.Root)) return;
        using StoreFolder? root = StoreFolder.TryOpenRoot(store);
        if (root is null || root.Owner == 0) return;
        (uint user, uint group) = (root.Owner, root.Group);
        unsafe
        {
            if (SetGroups(0, null) == 0 && SetGroup(group, group, group) == 0 && SetUser(user, user, user) == 0) return;
        }

        throw new StoreException($"cannot become the owner of {store.Root} (user {user}): {Marshal.GetLastPInvokeErrorMessage()}");
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();

    // The C library sets all threads of the process, not this one alone.
    [LibraryImport("libc", EntryPoint = "setgroups", SetLastError = true)]
    private static unsafe partial int SetGroups(nuint count, uint* groups);

    [LibraryImport("libc", EntryPoint = "setresgid", SetLastError = true)]
    private static partial int SetGroup(uint real, uint effective, uint saved);

    [LibraryImport("libc", EntryPoint = "setresuid", SetLastError = true)]
    private static partial int SetUser(uint real, uint effective, uint saved);
}
