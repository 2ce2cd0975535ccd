using System.Net;
using Netdump.Client.Linux;

namespace Netdump.Client.Capture.Dhcp;

/// <summary>How a renewal ended.</summary>
public enum RenewalEnd
{
    /// <summary>It has not ended.</summary>
    Open,

    /// <summary>A server gave an address: <see cref="LeaseRenewal.Lease"/>.</summary>
    Given,

    /// <summary>Nobody answered in time.</summary>
    NoAnswer,

    /// <summary>A server refused the old address, and no other came in time.</summary>
    Refused,
}

/// <summary>
/// Asks once more for an address that the host had leased (INIT-REBOOT, RFC 2131, sections 3.2 and 4.3.2), and for another one when a server
/// says that it is not the host's any more. Messages come in, messages go out; it reads no clock and opens no socket. It is always over when
/// <see cref="Limit"/> has passed: a dump does not wait for a DHCP server.
/// </summary>
public sealed class LeaseRenewal
{
    /// <summary>It ends by then.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <summary>When nobody at all has answered by then, nobody will.</summary>
    public static readonly TimeSpan SilenceLimit = TimeSpan.FromSeconds(3.5);

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly TimeSpan _start;
    private readonly DhcpMessage _request;
    private DhcpMessage _toSend;
    private TimeSpan _nextSend;
    private bool _isRefused;

    /// <summary>Begins; the first message is due at once.</summary>
    /// <param name="address">The leased address.</param>
    /// <param name="hardware">The interface's hardware address.</param>
    /// <param name="clientId">The name by which the host asked for it; empty: its hardware address.</param>
    /// <param name="transaction">A random number.</param>
    /// <param name="now">Monotonic time.</param>
    public LeaseRenewal(IPAddress address, MacAddress hardware, ReadOnlyMemory<byte> clientId, uint transaction, TimeSpan now)
    {
        _start = _nextSend = now;
        _toSend = _request = new DhcpMessage { Type = DhcpKind.Request, Transaction = transaction, Hardware = hardware, Wanted = address, ClientId = clientId };
    }

    /// <summary>How it ended.</summary>
    public RenewalEnd End { get; private set; }

    /// <summary>The server's last word when an address was given.</summary>
    public DhcpMessage? Lease { get; private set; }

    /// <summary>When <see cref="TryTakeMessage"/> wants to be called, if nothing comes in before.</summary>
    public TimeSpan NextDeadline => _nextSend < Deadline ? _nextSend : Deadline;

    private TimeSpan Deadline => _start + (_isRefused ? Limit : SilenceLimit);

    /// <summary>Lets time pass; gives the message that is due.</summary>
    public bool TryTakeMessage(TimeSpan now, out DhcpMessage message)
    {
        message = _toSend;
        if (End != RenewalEnd.Open) return false;
        if (now >= Deadline)
        {
            End = _isRefused ? RenewalEnd.Refused : RenewalEnd.NoAnswer;
            return false;
        }
        if (now < _nextSend) return false;
        _nextSend = now + Pause;
        return true;
    }

    /// <summary>Takes a datagram. What is no answer to the last question is passed over.</summary>
    public void Received(ReadOnlySpan<byte> datagram, TimeSpan now)
    {
        if (End != RenewalEnd.Open || DhcpMessage.Read(datagram) is not { } answer) return;
        if (answer.Transaction != _toSend.Transaction || answer.Hardware != _toSend.Hardware) return;
        switch (answer.Type)
        {
            case DhcpKind.Acknowledge when _toSend.Type == DhcpKind.Request && Equals(answer.Given, _toSend.Wanted):
                Lease = answer;
                End = RenewalEnd.Given;
                break;
            case DhcpKind.Refuse when !_isRefused:
                _isRefused = true;
                // A new question, so that answers to the old one count no more.
                Ask(_request with { Type = DhcpKind.Discover, Transaction = _request.Transaction + 1, Wanted = null }, now);
                break;
            case DhcpKind.Refuse when _toSend.Type == DhcpKind.Request:
                End = RenewalEnd.Refused;
                break;
            case DhcpKind.Offer when _toSend.Type == DhcpKind.Discover && answer is { Given: not null, ServerId: not null }:
                Ask(_toSend with { Type = DhcpKind.Request, Wanted = answer.Given, ServerId = answer.ServerId }, now);
                break;
            default:
                break;
        }
    }

    private void Ask(DhcpMessage message, TimeSpan now)
    {
        _toSend = message;
        _nextSend = now;
    }
}
