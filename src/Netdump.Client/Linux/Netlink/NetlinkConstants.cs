namespace Netdump.Client.Linux;

/// <summary>Message types of rtnetlink (include/uapi/linux/rtnetlink.h, netlink.h).</summary>
public enum NetlinkType : ushort
{
    /// <summary>NLMSG_NOOP.</summary>
    Nothing = 1,

    /// <summary>NLMSG_ERROR: body is a signed errno (0 acknowledges) and the request's header.</summary>
    Error = 2,

    /// <summary>NLMSG_DONE: end of a dump.</summary>
    Done = 3,

    /// <summary>RTM_NEWLINK.</summary>
    NewLink = 16,

    /// <summary>RTM_DELLINK.</summary>
    DeleteLink = 17,

    /// <summary>RTM_GETLINK.</summary>
    GetLink = 18,

    /// <summary>RTM_NEWADDR.</summary>
    NewAddress = 20,

    /// <summary>RTM_GETADDR.</summary>
    GetAddress = 22,

    /// <summary>RTM_NEWROUTE.</summary>
    NewRoute = 24,

    /// <summary>RTM_GETROUTE.</summary>
    GetRoute = 26,

    /// <summary>RTM_NEWNEIGH.</summary>
    NewNeighbour = 28,

    /// <summary>RTM_GETNEIGH.</summary>
    GetNeighbour = 30,
}

/// <summary>Flags of a netlink message (include/uapi/linux/netlink.h). Bits above 8 mean different things for GET and NEW.</summary>
[Flags]
public enum NetlinkFlags : ushort
{
    /// <summary>NLM_F_REQUEST.</summary>
    Request = 1,

    /// <summary>NLM_F_ACK: answer with an error message even on success.</summary>
    Acknowledge = 4,

    /// <summary>NLM_F_DUMP_INTR: the table changed while it was dumped; ask again.</summary>
    Interrupted = 0x10,

    /// <summary>NLM_F_REPLACE, of NEW.</summary>
    Replace = 0x100,

    /// <summary>NLM_F_EXCL, of NEW: fail when it is there already.</summary>
    Exclusive = 0x200,

    /// <summary>NLM_F_DUMP, of GET: everything.</summary>
    Dump = 0x300,

    /// <summary>NLM_F_CREATE, of NEW.</summary>
    Create = 0x400,
}

/// <summary>Flags of a network interface (include/uapi/linux/if.h).</summary>
[Flags]
public enum LinkFlags : uint
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>IFF_UP: switched on by the operator.</summary>
    Up = 1,

    /// <summary>IFF_LOOPBACK.</summary>
    Loopback = 8,

    /// <summary>IFF_POINTOPOINT.</summary>
    PointToPoint = 0x10,

    /// <summary>IFF_RUNNING: operational by RFC 2863.</summary>
    Running = 0x40,

    /// <summary>IFF_NOARP.</summary>
    NoArp = 0x80,

    /// <summary>IFF_LOWER_UP: the driver sees a carrier.</summary>
    LowerUp = 0x10000,
}

/// <summary>State of a neighbour entry, NUD_* (include/uapi/linux/neighbour.h).</summary>
[Flags]
public enum NeighbourState : ushort
{
    /// <summary>No state: the device has no neighbours.</summary>
    None = 0,

    /// <summary>Being resolved.</summary>
    Incomplete = 1,

    /// <summary>Confirmed lately.</summary>
    Reachable = 2,

    /// <summary>Known, not confirmed lately.</summary>
    Stale = 4,

    /// <summary>In use, about to be confirmed.</summary>
    Delay = 8,

    /// <summary>Being confirmed.</summary>
    Probe = 0x10,

    /// <summary>Nobody answered.</summary>
    Failed = 0x20,

    /// <summary>The device needs no resolution.</summary>
    NoArp = 0x40,

    /// <summary>Set by the operator.</summary>
    Permanent = 0x80,
}
