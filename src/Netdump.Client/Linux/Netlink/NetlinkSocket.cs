using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Netdump.Client.Linux;

/// <summary>A NETLINK_ROUTE socket: datagrams to and from the kernel.</summary>
internal sealed partial class NetlinkSocket : IDisposable
{
    /// <summary>RTMGRP_LINK: tell about every change of an interface.</summary>
    public const uint LinkChanges = 1;

    private readonly SafeFileHandle _socket;

    /// <summary>Opens a socket that hears the groups in <paramref name="groups"/> besides its own answers.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public NetlinkSocket(uint groups = 0)
    {
        const int Netlink = 16, RawCloseOnExec = 3 | 0x80000, RouteProtocol = 0;
        int descriptor = NativeSocket(Netlink, RawCloseOnExec, RouteProtocol);
        if (descriptor < 0) throw LinuxException.Last("open a netlink socket");
        _socket = new SafeFileHandle(descriptor, ownsHandle: true);
        Span<byte> address = stackalloc byte[12]; // struct sockaddr_nl: family u16, pad u16, port u32 (0: the kernel chooses), groups u32
        address.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(address, Netlink);
        BinaryPrimitives.WriteUInt32LittleEndian(address[8..], groups);
        if (NativeBind(_socket, address, address.Length) != 0)
        {
            LinuxException failure = LinuxException.Last("bind a netlink socket");
            _socket.Dispose();
            throw failure;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    /// <summary>Sends one request.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public void Send(ReadOnlySpan<byte> request)
    {
        int done = Descriptors.Write(_socket, request);
        if (done < 0) throw new LinuxException("ask the kernel about the network", -done);
    }

    /// <summary>Receives one datagram.</summary>
    /// <param name="buffer">32 KiB or more, the kernel's largest.</param>
    /// <param name="limit">How long to wait.</param>
    /// <returns>Its length, 0 when none came in time.</returns>
    /// <exception cref="LinuxException">The kernel refused; ENOBUFS when changes came faster than they were read.</exception>
    public int Receive(Span<byte> buffer, TimeSpan limit)
    {
        if (!Descriptors.WaitReadable(_socket, limit)) return 0;
        int got = Descriptors.Read(_socket, buffer);
        return got >= 0 ? got : throw new LinuxException("hear from the kernel about the network", -got);
    }

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int NativeSocket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    private static partial int NativeBind(SafeFileHandle socket, ReadOnlySpan<byte> address, int length);
}
