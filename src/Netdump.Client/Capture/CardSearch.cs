using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Capture;

/// <summary>Finds the dead host's cards among this kernel's devices, which appear when their drivers are ready.</summary>
internal sealed class CardSearch(RouteNetlink netlink, Action<string> say)
{
    private static readonly TimeSpan ExactLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan DeviceLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Waits for cards. One that agrees only in part is taken when the right one had its time to appear; with one card at hand the others are
    /// waited for no longer than that, as a bond or a second server may do with it.
    /// </summary>
    /// <param name="wanted">The cards.</param>
    /// <returns>For each of them its interface, or null.</returns>
    public Link?[] Find(IReadOnlyList<CaptureDevice> wanted)
    {
        TimeSpan start = Uptime.Now;
        while (true)
        {
            TimeSpan waited = Uptime.Now - start;
            bool exact = waited < ExactLimit;
            Link?[] found = InterfaceMatch.FindAll([.. wanted.Select(w => w.Card!)], NetworkDevices.List(netlink), exact);
            int missing = found.Count(f => f is null);
            if (missing > 0 && waited < DeviceLimit && (exact || missing == found.Length))
            {
                Descriptors.Pause(LookAgain);
                continue;
            }
            for (int i = 0; i < found.Length; i++)
                if (found[i] is null) say($"{wanted[i].Name}: no device with address {wanted[i].Card!.Mac} or at {wanted[i].Card!.BusPath} after {waited.TotalSeconds:0} s; is its driver in the image (EXTRA_MODULES)?");
            return found;
        }
    }
}
